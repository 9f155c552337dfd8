"""Tables, metrics as JSON, and a picture of partial backfills."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log

from mmfct.evaluation.backfill_curves import Curves, area, fractions
from mmfct.evaluation.report import score_title
from mmfct.evaluation.scores import SCORES
from mmfct.utils.figures import COLORS, save_png
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json
from mmfct.utils.tables import markdown_table, percent

_TITLES = dict(uncertainty='uncertainty', class_mean='distance to class mean', random='random', oracle='oracle')
_MARKERS = ('o', 's', '^', 'D')
_LEAST_RANGE = 5.0  # points


def write_curves(curves: Curves, folder: Path, *, done: float = 0.0, notes: Sequence[str] = ()) -> None:
    """Write ``backfill.md``, ``backfill.json`` and ``backfill.png`` and print the areas.

    Args:
        curves: Result of `backfill_curves`.
        folder: Where the files go.
        done: Fraction of the gallery that is recomputed already when the curves begin.
        notes: Sentences for below the table of areas.
    """
    areas = {name: {score: area(values) for score, values in scores.items()} for name, scores in curves.items()}
    rows = [['order', *(f'area {score_title(score)} (%)' for score in SCORES)]]
    rows += [[_TITLES[name], *(percent(areas[name][score]) for score in SCORES)] for name in curves]
    table = '\n\n'.join([markdown_table(rows), *notes])
    points = [['recomputed (%)', *(f'{_TITLES[name]}: mAP (%)' for name in curves)]]
    points += [
        [percent(fraction), *(percent(curves[name]['map'][place]) for name in curves)]
        for place, fraction in enumerate(fractions(done))
    ]
    write_atomically(folder / 'backfill.md', f'{table}\n\n{markdown_table(points)}\n'.encode())
    numbers = dict(fractions=fractions(done), area=areas, curves=curves, notes=list(notes))
    write_atomically(folder / 'backfill.json', encode_json(numbers))
    plot_curves(curves, folder / 'backfill.png', done=done)
    print_log(f'partial backfill\n{table}\nwritten to {folder}', 'current')


def plot_curves(curves: Curves, path: str | Path, *, done: float = 0.0) -> Path:
    """Draw a panel for each score: a curve for each order, with its area in the legend.

    Args:
        curves: Result of `backfill_curves`.
        path: PNG file to write.
        done: See `write_curves`.

    Returns:
        The written file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.3), layout='constrained')
    percents = [100 * fraction for fraction in fractions(done)]
    for axes, score in zip(figure.subplots(1, len(SCORES)), SCORES, strict=True):
        for place, (name, scores) in enumerate(curves.items()):
            label = f'{_TITLES[name]} (area {percent(area(scores[score]))})'
            values = [100 * value for value in scores[score]]
            axes.plot(percents, values, color=COLORS[place], marker=_MARKERS[place], markersize=4, label=label)
        low, high = axes.get_ylim()
        if high - low < _LEAST_RANGE:  # or a change of one query would fill the panel
            axes.set_ylim(high - _LEAST_RANGE, high)
        axes.set_title(score_title(score))
        axes.set_xlabel('recomputed from images (% of the gallery)')
        axes.set_ylabel('score (%)')
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(frameon=False, fontsize=9, loc='upper center', bbox_to_anchor=(0.5, -0.14))
    figure.suptitle('New queries on a gallery that is upgraded and then recomputed in part')
    return save_png(figure, path)
