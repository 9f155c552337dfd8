"""Parts of matplotlib figures: colours, panels of points, and PNG files written atomically."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from mmfct.utils.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Ten colours that people with colour vision deficiency can tell apart (seaborn's 'colorblind').
COLORS = (
    '#0173B2', '#DE8F05', '#029E73', '#D55E00', '#CC78BC',
    '#CA9161', '#FBAFE4', '#949494', '#ECE133', '#56B4E9',
)  # fmt: skip


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


def scatter_classes(figure: Figure, panels: dict[str, Axes], points: dict[str, Tensor], labels: Tensor) -> None:
    """Draw the points (N, 2) of every panel, with a legend of up to ten classes or else a colour bar."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap, ListedColormap, Normalize
    from matplotlib.lines import Line2D

    classes, ranks = labels.unique(return_inverse=True)
    few = len(classes) <= len(COLORS)
    values = ranks if few else labels
    cmap: Colormap = ListedColormap(COLORS) if few else colormaps['viridis']
    norm = Normalize(0, len(COLORS) - 1) if few else Normalize(int(classes[0]), int(classes[-1]))
    size = min(40, max(10, 12000 / len(labels)))
    for role, axes in panels.items():
        x, y = points[role].T
        axes.scatter(x, y, size, values, cmap=cmap, norm=norm, alpha=0.75, linewidths=0)
    if few:
        dots = [
            Line2D([], [], linestyle='', marker='o', color=color, label=f'class {int(label)}')
            for color, label in zip(COLORS, classes, strict=False)
        ]
        figure.legend(handles=dots, loc='outside lower center', ncols=len(dots), frameon=False)
    else:
        bar = ScalarMappable(norm, cmap)  # of its own: the points are translucent
        figure.colorbar(bar, ax=list(panels.values()), shrink=0.8, pad=0.01, label='class index')


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
