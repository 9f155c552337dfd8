"""A picture of how the labels of a task rank, and of how far the probabilities can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmfct.apis.find_corrupt_labels.ranking import Suspects
from mmfct.apis.find_corrupt_labels.report import finding
from mmfct.utils.figures import COLORS, clean_axes, legend_below, save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = np.linspace(0, 1, 21).tolist()
_RIGHT, _WRONG, _UNKNOWN = COLORS[0], COLORS[3], COLORS[7]


def draw_detection(suspects: Suspects, path: Path) -> Path:
    """Draw the distribution of ranks with the estimated wrong labels, and what training learned, and write it.

    Where the truth is known, right and wrong labels are told apart, and a reliability plot shows the share of wrong
    labels against the probability.

    Args:
        suspects: Suspects of a task.
        path: PNG file to write.
    """
    from matplotlib.figure import Figure

    known = suspects.corrupted is not None and suspects.wrong.evidence
    figure = Figure(figsize=(13.5 if known else 9, 4.3), layout='constrained')
    panels = figure.subplots(1, 3 if known else 2)
    _histogram(panels[0], suspects, suspects.rank, _BINS)
    level = suspects.wrong.share * len(suspects.rank) / (len(_BINS) - 1)
    panels[0].axhline(level, color='black', linestyle='--', label='estimated wrong labels')
    panels[0].set(xlabel="share of other images' predictions that fit the label better", ylabel='labels')
    scores = suspects.score[np.isfinite(suspects.score)]
    if len(scores):
        _histogram(panels[1], suspects, suspects.score, np.histogram_bin_edges(scores, 40).tolist())
    panels[1].set(xlabel=suspects.score_name, ylabel='labels')
    if known:
        _reliability(panels[2], suspects)
    clean_axes(*panels[:2], grid='y')
    clean_axes(*panels[2:])
    legend_below(figure)
    figure.suptitle(f'{suspects.task}: wrong labels {finding(suspects)}')
    return save_png(figure, path)


def _histogram(axes: Axes, suspects: Suspects, values: np.ndarray, bins: list[float]) -> None:
    if suspects.corrupted is None:
        axes.hist(values[np.isfinite(values)], bins, color=_UNKNOWN, label='labels')
        return
    parts = [values[(suspects.corrupted == wrong) & np.isfinite(values)] for wrong in (False, True)]
    axes.hist(parts, bins, stacked=True, color=[_RIGHT, _WRONG], label=['known right', 'known wrong'])


def _reliability(axes: Axes, suspects: Suspects) -> None:
    """Draw the share of wrong labels against the mean probability, in five groups of equal width."""
    assert suspects.corrupted is not None
    group = np.minimum((suspects.probability * 5).astype(int), 4)
    axes.plot([0, 1], [0, 1], color=_UNKNOWN, linestyle='--')
    for number in np.unique(group):
        chosen = group == number
        x, y = suspects.probability[chosen].mean(), suspects.corrupted[chosen].mean()
        axes.plot(x, y, 'o', color=_RIGHT)
        axes.annotate(f' {chosen.sum()}', (x, y), fontsize=8)
    axes.set(xlabel='probability that the label is wrong', ylabel='share of wrong labels', xlim=(-0.05, 1.1))
    axes.set_ylim(-0.05, 1.1)
    axes.set_title('reliability, with numbers of labels', fontsize=9)
