"""Tables, metrics as JSON, and a picture of partial backfills."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmfct.apis.plan_backfill.measured import Backfill
from mmfct.apis.plan_backfill.sentences import CORRECTION_FILE
from mmfct.evaluation.backfill_curves import area, fractions
from mmfct.evaluation.backfill_dips import CONFIDENCE
from mmfct.evaluation.report import score_title
from mmfct.evaluation.scores import SCORES
from mmfct.utils.figures import COLORS, clean_axes, save_png
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json
from mmfct.utils.tables import markdown_table, percent

_TITLES = dict(uncertainty='uncertainty', class_mean='distance to class mean', random='random', oracle='oracle')
_MARKERS = ('o', 's', '^', 'D')
_LEAST_RANGE = 5.0  # points


def write_backfill(measured: Backfill, folder: Path) -> None:
    """Write ``backfill.md``, ``backfill.json`` and ``backfill.png``, and print warnings and areas.

    If a correction of the upgraded vectors helps, ``correction.npz`` has its parameters: ``kind``, and ``slope`` and
    ``intercept`` of the length, or ``factor`` and ``offset`` (D,) of the vector; and ``transform``, the fingerprint of
    the transform that it is for, if the gallery knows that.

    Args:
        measured: What was measured.
        folder: Where the files go.
    """
    curves, areas = measured.curves, measured.areas
    rows = [['order', *(f'area {score_title(score)} (%)' for score in SCORES)]]
    rows += [[_TITLES[name], *(percent(areas[name][score]) for score in SCORES)] for name in curves]
    table = '\n\n'.join([*measured.warnings, markdown_table(rows), *measured.notes])
    points = [['recomputed (%)']]
    points[0] += [
        text for name in curves for text in (f'{_TITLES[name]}: mAP (%)', f'{100 * CONFIDENCE:g} % interval')
    ]
    for place, fraction in enumerate(fractions(measured.done)):
        row = [percent(fraction)]
        for name in curves:
            band = measured.bands[name]['map'][place]
            row += [percent(curves[name]['map'][place]), ' to '.join(map(percent, band))]
        points.append(row)
    write_atomically(folder / 'backfill.md', f'{table}\n\n{markdown_table(points)}\n'.encode())
    write_atomically(folder / 'backfill.json', encode_json(measured.to_json()))
    _write_correction(measured, folder / CORRECTION_FILE)
    plot_curves(measured, folder / 'backfill.png')
    level = logging.WARNING if measured.warnings else logging.INFO
    print_log(f'partial backfill\n{table}\nwritten to {folder}', 'current', level)


def _write_correction(measured: Backfill, file: Path) -> None:
    """Write the correction that helps most, and remove that of an earlier run."""
    file.unlink(missing_ok=True)
    causes = measured.causes
    if causes is None or causes.best is None:
        return
    fit = causes.corrections[causes.best].fit._asdict()
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in fit.items()}
    if measured.transform is not None:
        arrays['transform'] = np.asarray(measured.transform)
    content = io.BytesIO()
    np.savez(content, kind=causes.best, **arrays)
    write_atomically(file, content.getvalue())


def plot_curves(measured: Backfill, path: str | Path) -> Path:
    """Draw a panel for each score: a curve for each order with its interval, and its area in the legend.

    Args:
        measured: What was measured.
        path: PNG file to write.

    Returns:
        The written file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.3), layout='constrained')
    percents = [100 * fraction for fraction in fractions(measured.done)]
    for axes, score in zip(figure.subplots(1, len(SCORES)), SCORES, strict=True):
        for place, (name, scores) in enumerate(measured.curves.items()):
            label = f'{_TITLES[name]} (area {percent(area(scores[score]))})'
            values = [100 * value for value in scores[score]]
            axes.plot(percents, values, color=COLORS[place], marker=_MARKERS[place], markersize=4, label=label)
            ends = [[100 * end for end in side] for side in zip(*measured.bands[name][score], strict=True)]
            axes.fill_between(percents, *ends, color=COLORS[place], alpha=0.15, linewidth=0)
        low, high = axes.get_ylim()
        if high - low < _LEAST_RANGE:  # or a change of one query would fill the panel
            axes.set_ylim(high - _LEAST_RANGE, high + 0.05 * _LEAST_RANGE)  # markers are whole
        axes.set_title(score_title(score))
        axes.set_xlabel('recomputed from images (% of the gallery)')
        axes.set_ylabel('score (%)')
        clean_axes(axes)
        axes.legend(frameon=False, fontsize=9, loc='upper center', bbox_to_anchor=(0.5, -0.14))
    figure.suptitle('New queries on a gallery that is upgraded and then recomputed in part')
    return save_png(figure, path)
