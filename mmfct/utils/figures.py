"""Parts of matplotlib figures: colours, panels of points, and PNG files written atomically."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from mmfct.utils.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_UNKNOWN = -1  # label of an item without a class
_GREY = '#C8C8C8'
# With the colours enough for 60 classes; of more, twenty can be told apart at a glance.
_MARKERS = 'os^DvP'
_LARGEST = 20

# Ten colours that people with colour vision deficiency can tell apart (seaborn's 'colorblind').
COLORS = (
    '#0173B2', '#DE8F05', '#029E73', '#D55E00', '#CC78BC',
    '#CA9161', '#FBAFE4', '#949494', '#ECE133', '#56B4E9',
)  # fmt: skip


def clean_axes(*panels: Axes, grid: Literal['both', 'x', 'y'] = 'both') -> None:
    """Give panels the look of all our figures: two spines, and a light grid behind what is drawn.

    Args:
        panels: The panels.
        grid: Axis whose ticks have lines; of bars only that of their values.
    """
    for axes in panels:
        axes.spines[['top', 'right']].set_visible(False)
        axes.grid(axis=grid, color='#E4E4E4', linewidth=0.7)
        axes.set_axisbelow(True)


def legend_below(figure: Figure, columns: int | None = None) -> None:
    """Add a legend under all panels, where it hides no data; what several panels have is named once.

    Args:
        figure: The figure, with constrained layout.
        columns: Number of columns; by default, one row.
    """
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        figure.legend(
            entries.values(), entries, loc='outside lower center', ncols=columns or len(entries), frameon=False
        )


def set_square_limits(panels: list[Axes], points: Tensor) -> None:
    """Give panels the same square limits around points (N, 2), with equal units on x and y."""
    low, high = points.amin(dim=0), points.amax(dim=0)
    center = (low + high) / 2
    radius = 0.53 * float((high - low).max()) or 1.0
    for axes in panels:
        axes.set_xlim(float(center[0]) - radius, float(center[0]) + radius)
        axes.set_ylim(float(center[1]) - radius, float(center[1]) + radius)
        axes.set_aspect('equal')
        axes.locator_params(nbins=5)


def scatter_classes(
    figure: Figure,
    panels: dict[str, Axes],
    points: dict[str, Tensor],
    labels: Tensor,
    names: Mapping[int, str] | None = None,
) -> None:
    """Draw the points (N, 2) of every panel, each class in a colour and a marker of its own, with a legend.

    Of more classes than there are colours and markers, the largest are told apart and all others are grey, as points
    of an unknown class (label -1) are.

    Args:
        figure: The figure of the panels; grows with the legend.
        panels: Role -> panel.
        points: Role -> points of shape (N, 2).
        labels: Classes of shape (N,).
        names: Label -> name of the class, where it is known.
    """
    from matplotlib.lines import Line2D

    size = min(40, max(10, 12000 / len(labels)))
    shown, counts = labels[labels != _UNKNOWN].unique(return_counts=True)
    others = len(shown) > len(COLORS) * len(_MARKERS)
    if others:
        largest = counts.argsort(descending=True, stable=True)[:_LARGEST]
        shown = shown[largest].sort().values
    place = torch.full_like(labels, -1)
    for number, label in enumerate(shown):
        place[labels == label] = number
    entries: dict[str, dict[str, Any]] = {}
    unknown = labels == _UNKNOWN
    for rows, text, marker in ((unknown, 'unknown class', 'x'), (~unknown & (place < 0), 'other classes', '.')):
        if rows.any():
            entries[text] = dict(color=_GREY, marker=marker)
            for role, axes in panels.items():
                x, y = points[role][rows].T
                axes.scatter(x, y, 0.7 * size, _GREY, marker=marker, linewidths=0.7)
    for group, marker in enumerate(_MARKERS):
        rows = (place >= 0) & (place // len(COLORS) == group)
        colors = [COLORS[number % len(COLORS)] for number in place[rows].tolist()]
        for role, axes in panels.items():
            if colors:
                x, y = points[role][rows].T
                axes.scatter(x, y, size, colors, marker=marker, alpha=0.75, linewidths=0)
    for number, label in enumerate(shown.tolist()):
        style = dict(color=COLORS[number % len(COLORS)], marker=_MARKERS[number // len(COLORS)])
        text = (names or {}).get(label, f'class {label}')
        entries[text if text not in entries else f'{text} ({label})'] = style
    dots = [Line2D([], [], linestyle='', label=text, **style) for text, style in entries.items()]
    columns = max(1, min(len(dots), round(16 * figure.get_figwidth() / (6 + max(map(len, entries))))))
    rows_of_legend = -(-len(dots) // columns)
    figure.set_figheight(figure.get_figheight() + 0.17 * (rows_of_legend - 1))
    small = 8 if rows_of_legend > 1 else None
    figure.legend(handles=dots, loc='outside lower center', ncols=columns, frameon=False, fontsize=small)


def save_png(figure: Figure, path: str | Path) -> Path:
    """Write the figure at 150 dpi, atomically.

    Raises:
        ValueError: If ``path`` does not end with ``.png``.
    """
    path = Path(path)
    if path.suffix.lower() != '.png':
        raise ValueError(f'`path` must end with .png, got {str(path)!r}')
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = io.BytesIO()
    figure.savefig(picture, format='png', dpi=150, bbox_inches='tight')
    write_atomically(path, picture.getbuffer())
    return path
