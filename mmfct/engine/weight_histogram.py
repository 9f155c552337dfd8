"""Histograms of the weights of all training instances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor


def weight_histogram(weights: Tensor, tasks: Sequence[str], title: str) -> np.ndarray:
    """Draw the histogram of each task's weights.

    Args:
        weights: Weights of shape (I, T), on the CPU; those below a thousandth of the largest are drawn there.
        tasks: Names of the tasks.
        title: Title of the picture.

    Returns:
        RGB picture, uint8 of shape (H, W, 3).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(tasks), 3), layout='constrained')
    figure.suptitle(title)
    canvas = FigureCanvasAgg(figure)
    row = figure.subplots(1, len(tasks), squeeze=False)[0]
    for axes, task, column in zip(row, tasks, weights.unbind(1), strict=True):
        # Labels that look wrong have weights of next to nothing, or nothing.
        axes.hist(column.clamp(min=1e-3 * float(column.max())).log10().numpy(), bins=40)
        axes.set(xlabel=f'log10 weight, {task}', ylabel='training instances')
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
