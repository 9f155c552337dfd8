"""A picture of the most suspicious labels of a task."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmfct.apis.find_corrupt_labels.labels import CLASS, CLASS_MAP, DEPTH_MAP, POSE, label_map, label_names
from mmfct.apis.find_corrupt_labels.maps import ClassPainter, DepthPainter
from mmfct.apis.find_corrupt_labels.pose_painter import PosePainter
from mmfct.apis.find_corrupt_labels.ranking import Suspects
from mmfct.apis.find_corrupt_labels.report import finding
from mmfct.utils.figures import COLORS, save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_Painter = ClassPainter | DepthPainter | PosePainter
_PAINTERS: dict[str | None, type[_Painter]] = {CLASS_MAP: ClassPainter, DEPTH_MAP: DepthPainter, POSE: PosePainter}
_BOX = dict(facecolor='white', edgecolor='none', pad=1, alpha=0.8)
_TILE_WIDTH = 2.2  # inches
_LETTERS, _FEW_LETTERS = 51, 30  # of a line above three tiles, and above one
_MAX_PIXELS = 512  # of the longer side of a tile
_RIGHT, _WRONG = COLORS[0], COLORS[3]


def draw_suspect_sheet(
    suspects: Suspects,
    views: Sequence[tuple[np.ndarray, Any]],
    path: Path,
    metainfo: Mapping[str, Any],
    kind: str | None,
) -> Path:
    """Draw image, given label and prediction of the first suspects, with their scores above them.

    Class maps have the colours of the data set and a legend, depth maps one colour map and a colour bar, poses are
    drawn as skeletons, class labels are written. Where the truth is known, the caption says it.

    Args:
        suspects: Suspects of a task.
        views: Image, uint8 RGB of shape (H, W, 3), and data sample with prediction of the first suspects, in order.
        path: PNG file to write.
        metainfo: Meta information of the data set, of which ``classes`` and ``palette`` are used.
        kind: Kind of the labels, see `label_kind`; ``None`` draws the images alone.

    Returns:
        The written file.
    """
    samples = [sample for _, sample in views]
    painter: _Painter | None = None
    maps: dict[str, list[np.ndarray]] = {}
    if kind in _PAINTERS:
        fields = dict(given=f'gt_{kind}', predicted=f'pred_{kind}')
        maps = {name: [_shrink(label_map(sample, field)) for sample in samples] for name, field in fields.items()}
        painter = _PAINTERS[kind](metainfo, maps['given'], maps['predicted'])
    figure, grid = _lay_out([image for image, _ in views], tiles=1 + len(maps))
    figure.suptitle(
        f'{suspects.task}: the {len(views)} most suspicious of {len(suspects.rows)} labels; '
        f'wrong labels: {finding(suspects)}'
    )
    for place, ((image, sample), panels) in enumerate(zip(views, grid, strict=False)):
        panels[0].imshow(_shrink(image))
        names = _names(sample, suspects.task, metainfo) if kind == CLASS else []
        caption = _caption(suspects, place, names, narrow=len(panels) == 1)
        title = panels[0].set_title(caption, loc='left', fontsize=7, color=_color(suspects, place))
        title.set_parse_math(False)  # files may have dollar signs
        if painter is not None:
            for panel, (name, values) in zip(panels[1:], maps.items(), strict=True):
                painter.paint(panel, values[place], given=name == 'given')
                panel.text(0.02, 0.05, name, transform=panel.transAxes, fontsize=6, bbox=_BOX)
    if painter is not None:
        painter.explain(figure)
    return save_png(figure, path)


def _lay_out(images: Sequence[np.ndarray], tiles: int) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure and, for each image, its panels in a row, one or several suspects beside one another."""
    from matplotlib.figure import Figure

    columns = min(len(images), 5 if tiles == 1 else 2)
    lines = -(-len(images) // columns)
    height = _TILE_WIDTH * float(np.median([image.shape[0] / image.shape[1] for image in images]))
    size = (columns * tiles * _TILE_WIDTH + 0.4, lines * (height + (0.8 if tiles == 1 else 0.5)) + 1.3)
    figure = Figure(figsize=size, layout='constrained')
    grid = figure.subplots(lines, columns * tiles, squeeze=False)
    for axes in grid.flat:
        axes.axis('off')
    return figure, grid.reshape(-1, tiles).tolist()


def _caption(suspects: Suspects, place: int, names: Sequence[str], *, narrow: bool) -> str:
    """Return the lines above an image; ``names`` of classes follow the numbers."""
    width = _FEW_LETTERS if narrow else _LETTERS
    number, file = f'{place + 1}  ', suspects.files[place]
    if len(number) + len(file) > width:  # the end of a file tells more
        file = f'...{file[len(number) + 3 - width :]}'
    wrong = suspects.probability[place] if suspects.wrong.evidence else suspects.rank[place]
    name = 'P(wrong)' if suspects.wrong.evidence else 'rank'
    numbers = f'{name} {wrong:.2f}  weight {suspects.weight[place]:.3g}'
    truth = '' if suspects.corrupted is None else '  wrong' if suspects.corrupted[place] else '  right'
    numbers += ('\n' if narrow else '  ') + f'loss {suspects.final_loss[place]:.3g}{truth}'
    return '\n'.join([number + file, numbers, *(textwrap.shorten(name, width, placeholder='...') for name in names)])


def _color(suspects: Suspects, place: int) -> str:
    if suspects.corrupted is None:
        return 'black'
    return _WRONG if suspects.corrupted[place] else _RIGHT


def _names(sample: Any, task: str, metainfo: Mapping[str, Any]) -> list[str]:
    given, predicted = (
        label_names(sample, task, f'{which}_{CLASS}', metainfo.get('classes')) for which in ('gt', 'pred')
    )
    return [f'given {given}', f'predicted {predicted}']


def _shrink(values: np.ndarray) -> np.ndarray:
    """Return every n-th row and column of a map or picture (H, W, ...): about as many as are shown."""
    step = -(-max(values.shape[:2]) // _MAX_PIXELS)
    return values[::step, ::step]
