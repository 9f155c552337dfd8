"""Tables, metrics as JSON, and pictures of a comparison of methods."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.logging import print_log

from mmfct.apis.compare_methods.scores import Comparison
from mmfct.evaluation.backfill_curves import POINTS, fractions
from mmfct.evaluation.pair import NEW_NEW, OLD_OLD
from mmfct.evaluation.report import score_title
from mmfct.evaluation.scores import SCORES
from mmfct.utils.figures import COLORS, clean_axes, legend_below, save_png
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json
from mmfct.utils.tables import markdown_table, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = 'os^Dv<>P*'  # one fewer than the colours, so that many methods all look different
_MARGIN = 3  # points below old/old that a picture shows


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write ``methods.md``, ``methods.json``, ``methods.png`` and ``backfill.png``, and print the tables.

    Args:
        comparison: Result of `compare_methods`.
        folder: Where the files go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = '\n\n'.join(
        [*comparison.first_notes, scores_table(comparison), *comparison.notes, cost_table(comparison)]
    )
    write_atomically(folder / 'methods.md', f'{tables}\n'.encode())
    write_atomically(folder / 'methods.json', encode_json(comparison.to_json()))
    plot_scores(comparison, folder / 'methods.png')
    plot_curves(comparison, folder / 'backfill.png')
    print_log(f'comparison of methods\n{tables}\nwritten to {folder}', 'current')


def scores_table(comparison: Comparison) -> str:
    """Markdown table of retrieval scores in percent, with a row for each bound and method."""
    rows = [['gallery', *map(score_title, SCORES), 'mAP gap recovered', 'lost queries', 'new/new mAP']]
    for pair, bound in comparison.bounds.items():
        rows.append([pair.title, *(percent(bound.means[score]) for score in SCORES), '', '', ''])
    for name, method in comparison.methods.items():
        scores = [percent(method.scores[score]) for score in SCORES]
        rest = (method.gains['map'], method.negative_flips, method.goal['map'])
        rows.append([name, *scores, *map(percent, rest)])
    return markdown_table(rows)


def cost_table(comparison: Comparison) -> str:
    """Markdown table of partial backfills, in percent, and of the cost of each method."""
    areas = [f'area {score_title(name)}' for name in ('cmc1', 'map')]
    rows = [['method', *areas, 'order of the backfill', 'parameters', 'multiply-adds', 'bytes per item']]
    for name, method in comparison.methods.items():
        costs = [f'{number:,}' for number in (method.parameters, method.multiply_adds, method.bytes_per_item)]
        curves = [percent(method.areas[score]) for score in ('cmc1', 'map')]
        rows.append([name, *curves, method.order, *costs])
    return markdown_table(rows)


def plot_scores(comparison: Comparison, path: Path) -> Path:
    """Draw CMC-1 and mAP of every method as bars between lines for old/old and new/new."""
    from matplotlib.figure import Figure

    methods = comparison.methods
    figure = Figure(figsize=(3 + 1.1 * len(methods), 7.5), layout='constrained')
    for axes, score in zip(figure.subplots(2, 1, sharex=True), ('cmc1', 'map'), strict=True):
        values = [100 * method.scores[score] for method in methods.values()]
        heights = [0 if math.isnan(value) else value for value in values]
        bars = axes.bar(range(len(values)), heights, 0.7, color=COLORS[0], zorder=2)
        labels = ['n/a' if math.isnan(value) else f'{value:.1f}' for value in values]
        # On white, above the lines.
        box = dict(facecolor='white', edgecolor='none', pad=0.8)
        axes.bar_label(bars, labels, padding=3, bbox=box, zorder=4)
        for pair, color, line in ((OLD_OLD, COLORS[7], '--'), (NEW_NEW, 'black', ':')):
            bound = 100 * comparison.bounds[pair].means[score]
            axes.axhline(bound, color=color, linestyle=line, zorder=3, label=f'{pair}: {bound:.1f}')
        axes.set_xticks(range(len(values)), [name.replace('-', '-\n').replace('+', '\n+') for name in methods])
        axes.set_ylabel(f'{score_title(score)} (%)')
        axes.margins(y=0.12)
        clean_axes(axes, grid='y')
        axes.legend(frameon=False, loc='center left', bbox_to_anchor=(1, 0.5))
    figure.suptitle('New queries on the upgraded gallery, by method')
    return save_png(figure, path)


def plot_curves(comparison: Comparison, path: Path) -> Path:
    """Draw CMC-1 and mAP of every method while its gallery is recomputed from the images.

    Methods that are worse than old/old at first squeeze the others: a second row of panels then begins at old/old.
    """
    from matplotlib.figure import Figure

    scores = ('cmc1', 'map')
    old = {score: 100 * comparison.bounds[OLD_OLD].means[score] for score in scores}
    curves = {
        (name, score): [100 * value for value in method.curves[score]]
        for name, method in comparison.methods.items()
        for score in scores
        if len(method.curves[score]) == POINTS  # else not as wide as the new model, so not comparable
    }
    squeezed = any(min(curve) < old[score] - _MARGIN for (_, score), curve in curves.items())
    rows = 2 if squeezed else 1
    figure = Figure(figsize=(13, 2 + 4.5 * rows), layout='constrained')
    panels = figure.subplots(rows, 2, squeeze=False)
    for row, line in enumerate(panels):
        for axes, score in zip(line, scores, strict=True):
            _draw_curves(axes, comparison, curves, score, label=row == 0 and score == 'map')
            axes.axhline(
                old[score], color=COLORS[7], linestyle='--', label='old/old' if axes is panels[0][1] else None
            )
            axes.set_title(f'{score_title(score)}, from old/old' if row else score_title(score))
            if row:
                top = max((max(curve) for (_, other), curve in curves.items() if other == score), default=old[score])
                top = max(top, old[score])
                axes.set_ylim(old[score] - _MARGIN, top + 0.05 * (top - old[score] + _MARGIN))
    legend_below(figure, columns=4)
    figure.suptitle('New queries on a gallery that is upgraded and then recomputed in part')
    return save_png(figure, path)


def _draw_curves(
    axes: Axes,
    comparison: Comparison,
    curves: Mapping[tuple[str, str], list[float]],
    score: str,
    *,
    label: bool,
) -> None:
    percents = [100 * fraction for fraction in fractions()]
    for place, (name, method) in enumerate(comparison.methods.items()):
        if (name, score) in curves:
            marker, color = _MARKERS[place % len(_MARKERS)], COLORS[place % len(COLORS)]
            text = f'{name}, {method.order}' if label else None
            axes.plot(percents, curves[name, score], label=text, marker=marker, markersize=4, color=color)
    axes.set_xlabel('recomputed from images (% of the gallery)')
    axes.set_ylabel('score (%)')
    clean_axes(axes)
