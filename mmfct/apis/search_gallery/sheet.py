"""A sheet of pictures: queries and their nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmfct.apis.search_gallery.neighbours import Found
from mmfct.utils.figures import COLORS, save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# In inches.
_TILE = 1.7
_GAP = 0.14
_LINE = 0.105
_TITLE = 0.45
_MAX_PIXELS = 384  # of the longer side of a tile
# About as many as fit on a screen.
_MAX_QUERIES = 6
_MAX_NEIGHBOURS = 10
_LINE_LENGTH = 34
# Blue and solid, orange and dashed: also without colour vision.
_FRAMES = {True: (COLORS[0], '-'), False: (COLORS[3], '--')}


def draw_neighbour_sheet(
    found: Found, query_files: Sequence[str | Path | None], image_root: str | Path, path: str | Path
) -> Path:
    """Draw each query on the left and its neighbours on the right, the nearest first.

    At most six queries, evenly spaced, and the nearest ten neighbours are drawn. Where classes are known, a frame says
    whether a neighbour has that of the query. The tile of an image that cannot be read says so.

    Args:
        found: The neighbours.
        query_files: Image of each query; ``None`` where there is none.
        image_root: Folder that the ids of the gallery are relative to.
        path: PNG file to write.

    Returns:
        The written file.
    """
    from matplotlib.figure import Figure

    lines = min(len(found.queries), _MAX_QUERIES)
    # Evenly spaced: sets are often sorted by class.
    drawn = np.linspace(0, len(found.queries) - 1, lines).astype(int).tolist()
    most = max(len(ids) for ids in found.ids)
    neighbours = min(most, _MAX_NEIGHBOURS)
    captions = [_captions(found, query, neighbours) for query in drawn]
    rooms = [_LINE * max(caption.count('\n') + 1 for caption in row) + 0.1 for row in captions]
    width = (1 + neighbours) * (_TILE + _GAP) + _GAP
    height = _TITLE + sum(rooms) + lines * (_TILE + _GAP)
    figure = Figure(figsize=(width, height))
    top = height - _TITLE
    for line, query in enumerate(drawn):
        top -= rooms[line] + _TILE
        files = [query_files[query], *(Path(image_root) / name for name in found.ids[query][:neighbours])]
        for place, (file, caption) in enumerate(zip(files, captions[line], strict=True)):
            # Fixed places: matplotlib's own layout measures every caption, which takes minutes.
            left = _GAP + place * (_TILE + _GAP)
            axes = figure.add_axes((left / width, top / height, _TILE / width, _TILE / height))
            _draw(axes, file, caption, None if place == 0 else found.is_right(query, place - 1), bold=place == 0)
        top -= _GAP
    how_many = [] if lines == len(found.queries) else [f'{lines} of {len(found.queries)} queries']
    how_many += [] if neighbours == most else [f'the nearest {neighbours} of {most}']
    title = ': '.join(['Nearest neighbours, with their distances', *([', '.join(how_many)] if how_many else [])])
    if found.labels is not None and found.query_labels is not None:
        title += '\nblue frame: the class of the query; orange, dashed: another class'
    figure.suptitle(title, fontsize=9, y=1 - 0.06 / height, va='top')
    return save_png(figure, path)


def _captions(found: Found, query: int, neighbours: int) -> list[str]:
    """Captions of a query and of its neighbours."""
    own = '' if found.query_labels is None else f'\n{_wrap(found.class_of(found.query_labels[query]))}'
    captions = [f'query\n{_wrap(found.queries[query])}{own}']
    for place, name in enumerate(found.ids[query][:neighbours]):
        label = '' if found.labels is None else f'\n{_wrap(found.class_of(found.labels[query][place]))}'
        captions.append(f'{_wrap(name)}{label}\n{found.distances[query][place]:.4g}')
    return captions


def _draw(axes: Axes, file: str | Path | None, caption: str, is_right: bool | None, *, bold: bool = False) -> None:
    image = None if file is None else _read(Path(file))
    axes.set(xticks=[], yticks=[])
    if image is None:
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect='equal')
        axes.text(0.5, 0.5, 'no image', ha='center', va='center', fontsize=7, color='gray')
    else:
        axes.imshow(image)
    for spine in axes.spines.values():
        if is_right is None:
            spine.set_visible(False)
        else:
            color, style = _FRAMES[is_right]
            spine.set(color=color, linestyle=style, linewidth=2.5)
    # Above the tile, not above the picture, which may be lower.
    axes.annotate(
        caption, (0.5, 1), xytext=(0, 4), textcoords='offset points', xycoords='axes fraction', ha='center',
        va='bottom', fontsize=6, fontweight='bold' if bold else 'normal', linespacing=1.15,
    )  # fmt: skip


def _read(file: Path) -> np.ndarray | None:
    """Read an image as RGB of shape (H, W, 3), scaled down; ``None`` if there is none."""
    import cv2
    import mmcv

    if not file.is_file():
        return None
    try:
        image = mmcv.imread(str(file))  # BGR
    except cv2.error:  # an empty file
        return None
    if image is None:
        return None
    step = -(-max(image.shape[:2]) // _MAX_PIXELS)
    return image[::step, ::step, ::-1]


def _wrap(name: str) -> str:
    """Break a long name into lines, at its folders where possible."""
    lines, rest = [], name
    while len(rest) > _LINE_LENGTH:
        cut = rest.rfind('/', 0, _LINE_LENGTH) + 1 or _LINE_LENGTH
        lines.append(rest[:cut])
        rest = rest[cut:]
    return '\n'.join([*lines, rest])
