"""Painter of body poses, seen from the camera of SURREAL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmfct.datasets.smpl_skeleton import JOINTS, PARENTS
from mmfct.datasets.surreal_camera import to_camera
from mmfct.utils.figures import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIDES = {'left': COLORS[0], 'right': COLORS[3], 'middle': 'black'}
_HALF = 1.1  # metres that are shown to every side of the pelvis


class PosePainter:
    """Draw the bones between joints, the left ones in another colour than the right ones.

    Args:
        metainfo: Not used.
        given: Not used.
        predicted: Not used.
    """

    def __init__(
        self, metainfo: Mapping[str, Any], given: Sequence[np.ndarray], predicted: Sequence[np.ndarray]
    ) -> None:
        pass

    def paint(self, axes: Axes, values: np.ndarray, *, given: bool) -> None:
        """Draw joints (24, 3), relative to the pelvis; nothing if there are none."""
        axes.set(xlim=(-_HALF, _HALF), ylim=(_HALF, -_HALF), aspect='equal')
        if len(values) != len(JOINTS):
            return
        seen = to_camera(values, np.zeros(3))[:, :2]
        for joint, parent in enumerate(PARENTS[1:], 1):
            side = JOINTS[joint].partition('_')[0]
            axes.plot(*seen[[parent, joint]].T, color=_SIDES.get(side, _SIDES['middle']), linewidth=1.5)

    def explain(self, figure: Figure) -> None:
        """Add the legend."""
        from matplotlib.lines import Line2D

        lines = [Line2D([], [], color=color, label=side) for side, color in _SIDES.items()]
        figure.legend(handles=lines, loc='outside lower center', ncols=3, fontsize=7, frameon=False)
