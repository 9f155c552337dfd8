"""Tables of compatibility scores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from mmfct.evaluation.gap import CONFIDENCE, Gap
from mmfct.evaluation.scores import Scores
from mmfct.utils.tables import markdown_table, percent


def score_title(name: str) -> str:
    """Name of a score as papers write it: ``cmc1`` is ``CMC-1``, ``map`` ``mAP``, ``recall10`` ``recall@10``."""
    if name.startswith('recall'):
        return f'recall@{name.removeprefix("recall")}'
    return 'mAP' if name == 'map' else f'CMC-{name.removeprefix("cmc")}'


def compatibility_table(scores: Scores, *, with_queries: bool = False) -> str:
    """Markdown table with a row for each pair (query/gallery), in percent; ``-`` for what could not be measured.

    Where the new model itself is not better than the old one, or hardly, the first lines say so. If a gallery was
    upgraded, the last column is the share of the gap in mAP between old/old and new/new that it recovers. Below the
    table stands how many items do not count.

    Args:
        scores: Scores of at least one pair.
        with_queries: Whether to show the number of queries.

    Returns:
        The lines of the table and the sentences, without a line break at the end.

    Raises:
        ValueError: If there is no pair.
    """
    table = scores_table(scores, with_queries=with_queries)
    return '\n\n'.join([*gap_notes(scores.gaps, scores.upgraded), table, *unlabelled_notes(scores.unlabelled)])


def scores_table(scores: Scores, *, with_queries: bool = False) -> str:
    """Return the table of `compatibility_table` without its sentences."""
    rows = [['query/gallery', *(f'{score_title(name)} (%)' for name in scores.names)]]
    rows += [[pair.title, *map(percent, entry.means.values())] for pair, entry in scores.pairs.items()]
    if with_queries:
        rows[0].append('queries')
        for entry, row in zip(scores.pairs.values(), rows[1:], strict=True):
            row.append(str(entry.num_queries))
    if scores.gains:
        rows[0].append('mAP gap recovered (%)')
        for pair, row in zip(scores.pairs, rows[1:], strict=True):
            row.append(percent(scores.gains[pair].get('map', math.nan)) if pair in scores.gains else '')
    return markdown_table(rows)


def unlabelled_notes(unlabelled: Mapping[str, tuple[int, int]]) -> list[str]:
    """Say how many items of each set do not count.

    Args:
        unlabelled: Result of `count_unlabelled`.
    """
    return [
        f'{number} of {count} {name} have no class (label -1): they do not count as queries and match nothing in a '
        'gallery.'
        for name, (count, number) in unlabelled.items()
    ]


def gap_notes(gaps: Mapping[str, Gap], upgraded: Iterable[Mapping[str, float]] = ()) -> list[str]:
    """Say in which scores the new model itself is not better than the old one, or by too little to speak of a share.

    It belongs above a table: no upgrade is worth more than the model that it leads to.

    Args:
        gaps: Name of the score -> gap.
        upgraded: Mean scores of upgraded galleries by name.

    Returns:
        A sentence for each; none if the new model is clearly better in all.
    """
    notes = []
    if closed := closed_gaps(gaps):
        notes.append(_closed_note(closed))
    if small := small_gaps(gaps, upgraded):
        notes.append(
            f'The new model is better than the old one in {list_titles(small)}, but by too little to speak of a share '
            f'of the gap ({_differences(small)}): ask more queries.'
        )
    return notes


def _closed_note(closed: Mapping[str, Gap]) -> str:
    lost = [name for name, gap in closed.items() if gap.is_loss]
    equal = [name for name in closed if name not in lost]
    parts = [f'worse than the old one in {list_titles(lost)}'] if lost else []
    if equal:
        parts.append(f'not clearly better {"" if lost else "than the old one "}in {list_titles(equal)}')
    gap = 'clear gap' if equal else 'gap'
    return f'The new model is {" and ".join(parts)}, so there is no {gap} to recover there ({_differences(closed)}).'


def list_titles(names: Iterable[str]) -> str:
    """Name scores in a sentence: ``CMC-1, CMC-5 and mAP``."""
    *first, last = map(score_title, names)
    return f'{", ".join(first)} and {last}' if first else last


def closed_gaps(gaps: Mapping[str, Gap]) -> dict[str, Gap]:
    """Return the gaps that were measured and are none."""
    return {name: gap for name, gap in gaps.items() if gap.is_closed}


def small_gaps(gaps: Mapping[str, Gap], upgraded: Iterable[Mapping[str, float]]) -> dict[str, Gap]:
    """Return the gaps that are too small for one of the upgraded galleries, see `Gap.is_small_for`."""
    means = list(upgraded)
    return {name: gap for name, gap in gaps.items() if any(gap.is_small_for(scores[name]) for scores in means)}


def _differences(gaps: Mapping[str, Gap]) -> str:
    differences = [f'{score_title(name)} {_difference(gap)}' for name, gap in gaps.items()]
    return f'new/new minus old/old, in points: {"; ".join(differences)}'


def _difference(gap: Gap) -> str:
    mean = f'{100 * (gap.new - gap.old):+.2f}'
    if gap.interval is None:
        return mean
    low, high = (f'{100 * end:+.2f}' for end in gap.interval)
    return f'{mean}, {100 * CONFIDENCE:g} % interval {low} to {high}'
