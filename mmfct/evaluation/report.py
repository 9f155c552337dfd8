"""Tables of compatibility scores."""

from __future__ import annotations

import math

from mmfct.evaluation.scores import Scores
from mmfct.utils.tables import markdown_table, percent


def score_title(name: str) -> str:
    """Name of a score as papers write it: ``cmc1`` is ``CMC-1``, ``map`` is ``mAP``."""
    return 'mAP' if name == 'map' else f'CMC-{name.removeprefix("cmc")}'


def compatibility_table(scores: Scores, *, with_queries: bool = False) -> str:
    """Markdown table with a row for each pair (query/gallery), in percent; ``-`` for what could not be measured.

    If a gallery was upgraded, the last column is the share of the gap in mAP between old/old and new/new that it
    recovers.

    Args:
        scores: Scores of at least one pair.
        with_queries: Whether to show the number of queries.

    Returns:
        The lines of the table, without a line break at the end.

    Raises:
        ValueError: If there is no pair.
    """
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
