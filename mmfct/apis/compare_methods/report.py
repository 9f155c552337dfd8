"""Tables, metrics as JSON, and pictures of a comparison of methods."""

from __future__ import annotations

import math
from pathlib import Path

from mmengine.logging import print_log

from mmfct.apis.compare_methods.scores import Comparison
from mmfct.evaluation.backfill_curves import fractions
from mmfct.evaluation.pair import NEW_NEW, OLD_OLD
from mmfct.evaluation.report import score_title
from mmfct.evaluation.scores import SCORES
from mmfct.utils.figures import COLORS, save_png
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json
from mmfct.utils.tables import markdown_table, percent

_MARKERS = 'os^Dv<>P*'  # one fewer than the colours, so that many methods all look different


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write ``methods.md``, ``methods.json``, ``methods.png`` and ``backfill.png``, and print the tables.

    Args:
        comparison: Result of `compare_methods`.
        folder: Where the files go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = '\n\n'.join([scores_table(comparison), *comparison.notes, cost_table(comparison)])
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
        bars = axes.bar(range(len(values)), heights, 0.7, color=COLORS[0])
        axes.bar_label(bars, ['n/a' if math.isnan(value) else f'{value:.1f}' for value in values], padding=2)
        for pair, color in ((OLD_OLD, COLORS[7]), (NEW_NEW, COLORS[2])):
            bound = 100 * comparison.bounds[pair].means[score]
            axes.axhline(bound, color=color, linestyle='--', label=f'{pair}: {bound:.1f}')
        axes.set_xticks(range(len(values)), [name.replace('-', '-\n').replace('+', '\n+') for name in methods])
        axes.set_ylabel(f'{score_title(score)} (%)')
        axes.margins(y=0.12)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(frameon=False, loc='center left', bbox_to_anchor=(1, 0.5))
    figure.suptitle('New queries on the upgraded gallery, by method')
    return save_png(figure, path)


def plot_curves(comparison: Comparison, path: Path) -> Path:
    """Draw CMC-1 and mAP of every method while its gallery is recomputed from the images."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6), layout='constrained')
    percents = [100 * fraction for fraction in fractions()]
    for axes, score in zip(figure.subplots(1, 2), ('cmc1', 'map'), strict=True):
        for place, (name, method) in enumerate(comparison.methods.items()):
            curve = method.curves[score]
            if len(curve) < len(percents):  # not as wide as the new model, so not comparable
                continue
            label = f'{name}, {method.order}' if score == 'map' else None
            style = dict(marker=_MARKERS[place % len(_MARKERS)], markersize=4, color=COLORS[place % len(COLORS)])
            axes.plot(percents, [100 * value for value in curve], label=label, **style)
        old = 100 * comparison.bounds[OLD_OLD].means[score]
        axes.axhline(old, color=COLORS[7], linestyle='--', label='old/old' if score == 'map' else None)
        axes.set_ylim(bottom=old - 3)  # methods that are worse than no upgrade would squeeze the rest
        axes.set_title(score_title(score))
        axes.set_xlabel('recomputed from images (% of the gallery)')
        axes.set_ylabel('score (%)')
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    figure.legend(loc='outside lower center', ncols=4, frameon=False)
    figure.suptitle('New queries on a gallery that is upgraded and then recomputed in part')
    return save_png(figure, path)
