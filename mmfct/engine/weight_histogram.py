"""A picture of the weights of all training instances: how they spread in training, and where they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from mmfct.utils.figures import COLORS, clean_axes, legend_below

_LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)  # symmetric, the median in the middle
_SMALLEST = 1e-3  # of the largest weight: labels that look wrong have weights of next to nothing, or nothing
_BINS = 40
_BANDS = {'98 % of the instances': '#CCE3F0', '90 %': '#99C7E0', '50 %': '#66ABD1'}  # tints of the first colour


def weight_quantiles(weights: Tensor) -> list[list[float]]:
    """Return what a picture shows of an epoch: quantiles of each task's weights.

    Args:
        weights: Weights of shape (I, T), on the CPU; those below a thousandth of the task's largest count as that.

    Returns:
        For each task the seven quantiles from 1 to 99 %.
    """
    return [np.quantile(_floored(column), _LEVELS).tolist() for column in weights.unbind(1)]


def weight_sheet(
    weights: Tensor, tasks: Sequence[str], history: Mapping[int, Sequence[Sequence[float]]]
) -> np.ndarray:
    """Draw, for each task, the spread of the weights after each epoch, and beside it their histogram now.

    Args:
        weights: Weights of shape (I, T), on the CPU; those below a thousandth of the largest are drawn there.
        tasks: Names of the tasks.
        history: Epoch -> its `weight_quantiles`, the last epoch that of ``weights``.

    Returns:
        RGB picture, uint8 of shape (H, W, 3).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    figure = Figure(figsize=(5.5 * len(tasks), 3.8), layout='constrained')
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2 * len(tasks), squeeze=False, width_ratios=[3, 1] * len(tasks))[0]
    epochs = sorted(history)
    for number, (task, column) in enumerate(zip(tasks, weights.unbind(1), strict=True)):
        over_time, now = panels[2 * number : 2 * number + 2]
        values = _floored(column)
        lines = np.asarray([history[epoch][number] for epoch in epochs]).T
        for outer, (name, color) in enumerate(_BANDS.items()):
            over_time.fill_between(epochs, lines[outer], lines[-1 - outer], color=color, linewidth=1, label=name)
        over_time.plot(epochs, lines[len(_LEVELS) // 2], color='black', marker='.', label='median')
        low, high = 0.95 * min(lines.min(), values.min()), 1.05 * max(lines.max(), values.max())
        now.hist(values, np.geomspace(low, high, _BINS + 1).tolist(), orientation='horizontal', color=COLORS[0])
        for axes in (over_time, now):
            axes.set_yscale('log')
            axes.set_ylim(low, high)
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter('{x:g}')
            axes.yaxis.set_minor_locator(NullLocator())
            clean_axes(axes)
        over_time.set(title=task, xlabel='epoch', ylabel='weight')
        over_time.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        over_time.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        now.tick_params(labelleft=False)
        now.set(title=f'epoch {epochs[-1]}', xlabel='instances')
    legend_below(figure, columns=2 * len(tasks))
    figure.suptitle(f'Weights of {len(weights):,} training instances')
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _floored(column: Tensor) -> np.ndarray:
    """Return weights (I,) that all have a logarithm, in double precision."""
    values = column.detach().double().numpy()
    return np.maximum(values, max(_SMALLEST * values.max(), 1e-30))
