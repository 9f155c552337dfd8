"""Painters of label maps: one colour scale for all maps of a picture, and its legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNLABELLED = 0.85  # grey
_COLUMNS = 7  # of a legend, at most


class ClassPainter:
    """Paint class maps in the colours of the data set, with a legend of those that occur.

    Args:
        metainfo: Meta information of the data set; ``classes`` and ``palette`` where it has them.
        given: Maps that are labels, integers of shape (H, W).
        predicted: Maps that are predictions.
    """

    def __init__(
        self, metainfo: Mapping[str, Any], given: Sequence[np.ndarray], predicted: Sequence[np.ndarray]
    ) -> None:
        from matplotlib import colormaps

        names = metainfo.get('classes')
        # Predictions of two classes with one score are floats.
        found = np.unique(np.concatenate([np.unique(values).astype(int) for values in (*given, *predicted)]))
        count = len(names) if names else int(found[found < 255].max(initial=-1)) + 1
        self._names = names or range(count)
        given_colors = metainfo.get('palette')
        palette = [] if given_colors is None else list(given_colors)[:count]  # may be shorter than the names
        palette += [[255 * part for part in colormaps['tab20'](i % 20)[:3]] for i in range(len(palette), count)]
        self._found = [label for label in found.tolist() if 0 <= label < count]
        # One more colour, for everything that is no class.
        self._colors = np.array([[part / 255 for part in color] for color in palette] + [[UNLABELLED] * 3])

    def paint(self, axes: Axes, values: np.ndarray, *, given: bool) -> None:
        """Draw a map (H, W), a label if it is given."""
        count = len(self._colors) - 1
        axes.imshow(self._colors[np.where((values >= 0) & (values < count), values, count).astype(int)])

    def explain(self, figure: Figure) -> None:
        """Add the legend."""
        from matplotlib.patches import Patch

        # Names are no formulas, whatever they have in them.
        names = [str(self._names[label]).replace('$', r'\$') for label in self._found]
        patches = [
            Patch(color=tuple(self._colors[label]), label=name) for label, name in zip(self._found, names, strict=True)
        ]
        patches.append(Patch(color=(UNLABELLED,) * 3, label='no label'))
        rows = -(-len(patches) // _COLUMNS)
        columns = -(-len(patches) // rows)  # rows of one length
        figure.legend(handles=patches, loc='outside lower center', ncols=columns, fontsize=7, frameon=False)


class DepthPainter:
    """Paint depth maps with one colour map, over the range that most labels have, with a colour bar.

    Args:
        metainfo: Not used.
        given: Maps that are labels, float of shape (H, W), 0 or not finite where invalid; if any has values below 0,
            such as depth relative to a point, 0 is valid too.
        predicted: Not used: where there are no labels, predictions can be anything.
    """

    def __init__(
        self, metainfo: Mapping[str, Any], given: Sequence[np.ndarray], predicted: Sequence[np.ndarray]
    ) -> None:
        from matplotlib import colormaps
        from matplotlib.colors import Normalize

        self._signed = any((values < 0).any() for values in given)
        valid = np.concatenate([values[self._is_valid(values)] for values in given])
        # A few far-off values must not take all colours.
        low, high = np.percentile(valid, [1, 99]) if len(valid) else (0.0, 1.0)
        self._norm = Normalize(low, high)
        self._cmap = colormaps['viridis'].with_extremes(bad=(UNLABELLED,) * 3)

    def paint(self, axes: Axes, values: np.ndarray, *, given: bool) -> None:
        """Draw a map (H, W), a label if it is given: a prediction below 0 is wrong, but no hole."""
        values = np.where(self._is_valid(values), values, np.nan) if given else values
        axes.imshow(values, cmap=self._cmap, norm=self._norm)

    def explain(self, figure: Figure) -> None:
        """Add the colour bar."""
        from matplotlib.cm import ScalarMappable

        bar = ScalarMappable(self._norm, self._cmap)
        label = 'depth or inverse depth, as in the labels; grey: no label'
        figure.colorbar(bar, ax=figure.axes, location='bottom', shrink=0.4, aspect=40, pad=0.01, label=label)

    def _is_valid(self, values: np.ndarray) -> np.ndarray:
        return np.isfinite(values) & (self._signed | (values > 0))
