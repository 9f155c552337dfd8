"""Table, JSON and picture of what was learned."""

from __future__ import annotations

import math
from pathlib import Path

from mmengine.logging import print_log

from mmfct.apis.learn_transform.curve import advice
from mmfct.apis.learn_transform.judge import Scores
from mmfct.apis.learn_transform.result import Learned
from mmfct.functional.bootstrap import bootstrap_interval
from mmfct.utils.figures import COLORS, clean_axes, save_png
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json
from mmfct.utils.tables import markdown_table, percent

_MIN_QUERIES = 30
_PERCENTS = ('recall@1', 'recall@10', 'recall@100', 'cmc1', 'map')
_TITLES = {
    'recall@1': 'recall@1 (%)',
    'recall@10': 'recall@10 (%)',
    'recall@100': 'recall@100 (%)',
    'rank_correlation': 'rank corr.',
    'cosine': 'cosine',
    'error': 'error',
    'cmc1': 'CMC-1 (%)',
    'map': 'mAP (%)',
}


def write_report(learned: Learned, folder: Path) -> None:
    """Write ``learn.md``, ``learn.json`` and ``learn.png``, and print the table with what to know about it."""
    folder.mkdir(parents=True, exist_ok=True)
    notes = sentences(learned)
    text = '\n\n'.join([*first_sentences(learned), scores_table(learned), '\n'.join(f'- {note}' for note in notes)])
    write_atomically(folder / 'learn.md', f'{text}\n'.encode())
    entries = learned.to_json() | dict(sentences=[*first_sentences(learned), *notes])
    write_atomically(folder / 'learn.json', encode_json(entries))
    plot(learned, folder / 'learn.png')
    print_log(
        f'learned from {len(learned.pairs):,} pairs\n{text}\nReport: {folder}/learn.md, learn.json, learn.png',
        'current',
    )


def scores_table(learned: Learned) -> str:
    """Return a Markdown table with a row for each bound and candidate, the best candidate first."""
    order = sorted(learned.candidates, key=lambda name: -learned.candidates[name].scores.choice)
    rows = {name: learned.bounds[name] for name in learned.bounds} | {
        name: learned.candidates[name].scores for name in order
    }
    shown = [name for name in _TITLES if any(name in scores.means() for scores in rows.values())]
    table = [['gallery', *(_TITLES[name] for name in shown), 'fit (s)']]
    for name, scores in rows.items():
        candidate = learned.candidates.get(name)
        title = name if candidate is None or candidate.complete else f'{name} (one fold)'
        title = f'**{title}**' if name == learned.chosen else title
        seconds = '' if candidate is None else f'{candidate.seconds:.1f}'
        table.append([title, *(_cell(name, scores) for name in shown), seconds])
    return markdown_table(table)


def first_sentences(learned: Learned) -> list[str]:
    """Say first what makes everything else worth little: nothing was learned, or the new model is not better."""
    return [*_nothing_gained(learned), *_not_better(learned)]


def _nothing_gained(learned: Learned) -> list[str]:
    """Say that no more neighbours are found than by chance, or than today."""
    found = learned.candidates[learned.chosen].scores.recalls[10]
    chance = learned.by_chance(10)
    low, _ = bootstrap_interval(found)
    if low <= chance:
        return [
            f'**Nothing was learned**: `{learned.chosen}` finds {percent(found.mean().item())} % of the ten nearest '
            f'neighbours, and chance {percent(chance)} %. Do the ids name the same items in OLD and NEW?'
        ]
    if learned.direction == 'query':  # an adapter costs accuracy: that is known
        return []
    today = learned.bounds['old/old'].recalls[10]
    low, high = bootstrap_interval(found - today)
    if low > 0:
        return []
    return [
        f'**The upgrade is not clearly better than the gallery of today**: recall@10 {percent(found.mean().item())} '
        f'against {percent(today.mean().item())} % of `old/old` (95 % interval of the difference {100 * low:.1f} to '
        f'{100 * high:.1f} points).'
    ]


def _not_better(learned: Learned) -> list[str]:
    """Say that the new model itself is not better, where labels show that."""
    old, new = learned.bounds['old/old'], learned.bounds['new/new']
    worse = []
    for title, name in (('CMC-1', 'cmc1'), ('mAP', 'average_precision')):
        before, after = getattr(old, name), getattr(new, name)
        if before is None or after is None:
            continue
        both = ~(before.isnan() | after.isnan())
        if both.sum() < _MIN_QUERIES:
            continue
        low, high = bootstrap_interval((after - before)[both])
        if low <= 0:
            means = f'{percent(after[both].mean().item())} against {percent(before[both].mean().item())} %'
            worse.append(
                f'{title} {means} (95 % interval of the difference {100 * low:.1f} to {100 * high:.1f} points)'
            )
    if not worse:
        return []
    return [f'**The new model itself is not clearly better than the old one here**: {"; ".join(worse)}.']


def sentences(learned: Learned) -> list[str]:
    """Say what the table does not: what was chosen, how sure that is, and whether more pairs would help."""
    chosen = learned.candidates[learned.chosen]
    notes = [f'{note}.' for note in learned.pairs.notes]
    way = 'was asked for' if learned.asked else 'has the best recall@10 on held-out pairs'
    notes.append(f'`{learned.chosen}` {way}.')
    if chosen.parts:
        mixed = ' + '.join(f'{weight:.2f} {name}' for name, weight in chosen.parts.items())
        notes.append(f'The mixture is {mixed}.')
    rivals = [name for name in learned.candidates if name != learned.chosen and learned.candidates[name].complete]
    if rivals:
        rival = max(rivals, key=lambda name: learned.candidates[name].scores.choice)
        ahead = chosen.scores.recalls[10] - learned.candidates[rival].scores.recalls[10]
        low, high = bootstrap_interval(ahead)
        notes.append(
            f'It is {100 * ahead.mean().item():+.1f} points of recall@10 from `{rival}` '
            f'(95 % interval {100 * low:+.1f} to {100 * high:+.1f}).'
        )
    notes.append(f'{advice(dict(learned.curve)).capitalize()}.')
    parts = '' if len(learned.held_out) == 1 else f' in {len(learned.held_out)} parts'
    notes.append(
        f'Scores are those of {sum(learned.held_out):,} held-out pairs{parts}: each is searched among the '
        f'{max(learned.held_out) - 1:,} others of its part, where chance finds '
        f'{percent(learned.by_chance(10))} % of ten neighbours. In a larger gallery scores are lower.'
    )
    what = 'new queries mapped into the old space' if learned.direction == 'query' else 'new queries in h(old)'
    notes.append(
        f"Recall@k: of the k nearest neighbours in the new model's own gallery, how many {what} find; "
        f'`old/old` is what old queries find of them today. Distance: {learned.pairs.distance}.'
    )
    return notes


def plot(learned: Learned, path: str | Path) -> Path:
    """Draw recall@k of all candidates beside what the chosen one gains by more pairs.

    Args:
        learned: What was learned.
        path: PNG file to write.
    """
    from matplotlib.figure import Figure

    order = sorted(learned.candidates, key=lambda name: learned.candidates[name].scores.choice)
    rows = ['old/old', *order]
    scores = [learned.bounds['old/old'], *(learned.candidates[name].scores for name in order)]
    figure = Figure(figsize=(12, 1.6 + 0.42 * len(rows)), layout='constrained')
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    for number, (k, marker) in enumerate(zip(scores[0].recalls, 'os^', strict=False)):
        values = [100 * one.recalls[k].mean().item() if k in one.recalls else math.nan for one in scores]
        left.scatter(
            values, range(len(rows)), color=COLORS[number], marker=marker, s=45, label=f'recall@{k}', zorder=3
        )
    left.set_yticks(range(len(rows)), [f'{name} (chosen)' if name == learned.chosen else name for name in rows])
    left.set_xlabel("neighbours of the new model's own gallery found (%)")
    left.legend(loc='lower center', bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    counts = sorted(learned.curve)
    for number, (k, marker) in enumerate(zip((1, 10), 'os', strict=True)):
        values = [100 * learned.curve[count].recalls[k].mean().item() for count in counts]
        right.plot(counts, values, color=COLORS[number], marker=marker, label=f'recall@{k}')
    right.set_xlabel('pairs to learn from')
    right.set_ylabel('found (%)')
    right.set_title(f'{learned.chosen}, same held-out pairs', fontsize=10)
    if counts and counts[-1] >= 8 * counts[0]:
        right.set_xscale('log')
    right.set_xticks(counts, [f'{count:,}' for count in counts])
    right.minorticks_off()
    clean_axes(left, right)
    return save_png(figure, path)


def _cell(name: str, scores: Scores) -> str:
    value = scores.means().get(name, math.nan)
    if name in _PERCENTS:
        return percent(value)
    return '-' if math.isnan(value) else f'{value:.3f}'
