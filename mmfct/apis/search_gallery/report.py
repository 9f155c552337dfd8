"""What a search found, as a table, as JSON, and as a sheet of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mmengine.logging import print_log

from mmfct.apis.search_gallery.neighbours import Found
from mmfct.utils.figures import save_png
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# In inches.
_TILE = 1.7
_CAPTION = 0.4
_TITLE = 0.4
_MAX_PIXELS = 384  # of the longer side of a tile
_MAX_QUERIES = 20
_MAX_NEIGHBOURS = 10


def report_neighbours(
    found: Found, files: list[Path | None], image_root: str | Path | None, out: str | Path | None
) -> Found:
    """Print the table; write ``neighbours.json`` and, if the folder of the images is known, ``neighbours.png``.

    Args:
        found: The neighbours.
        files: Image of each query, or ``None``.
        image_root: Folder of the images of the gallery, or ``None``.
        out: Folder of the files, or ``None``.
    """
    print_log(f'nearest neighbours\n{found.table()}', 'current')
    if out is not None:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / 'neighbours.json', encode_json(found.to_json()))
        if image_root is not None:
            draw_neighbour_sheet(found, files, image_root, folder / 'neighbours.png')
        print_log(f'written to {folder}', 'current')
    return found


def draw_neighbour_sheet(
    found: Found, query_files: Sequence[str | Path | None], image_root: str | Path, path: str | Path
) -> Path:
    """Draw each query on the left and its neighbours on the right, the nearest first.

    At most the first twenty queries and the nearest ten neighbours are drawn. The tile of an image that cannot be read
    says so.

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
    most = max(len(ids) for ids in found.ids)
    neighbours = min(most, _MAX_NEIGHBOURS)
    width, height = (1 + neighbours) * _TILE, lines * (_TILE + _CAPTION) + _TITLE
    figure = Figure(figsize=(width, height))
    # Fixed places: matplotlib's own layout measures every caption, which takes minutes.
    grid = figure.subplots(lines, 1 + neighbours, squeeze=False)
    figure.subplots_adjust(0, 0, 1, 1 - (_TITLE + _CAPTION) / height, 0.08, _CAPTION / _TILE)
    for axes in grid.flat:
        axes.axis('off')
    for query in range(lines):
        tiles = grid[query]
        _draw(tiles[0], query_files[query], f'query\n{_short(found.queries[query])}', bold=True)
        for place, neighbour in enumerate(found.ids[query][:neighbours]):
            label = '' if found.labels is None else f'label {found.labels[query][place]}  '
            caption = f'{_short(neighbour)}\n{label}{found.distances[query][place]:.4g}'
            _draw(tiles[place + 1], Path(image_root) / neighbour, caption)
    how_many = [] if lines == len(found.queries) else [f'the first {lines} of {len(found.queries)} queries']
    how_many += [] if neighbours == most else [f'the nearest {neighbours} of {most}']
    title = ': '.join(['Nearest neighbours, with their distances', *([', '.join(how_many)] if how_many else [])])
    figure.suptitle(title, fontsize=10, y=1 - 0.1 / height, va='top')
    return save_png(figure, path)


def _draw(axes: Axes, file: str | Path | None, caption: str, *, bold: bool = False) -> None:
    image = None if file is None else _read(Path(file))
    if image is None:
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect='equal')
        axes.text(0.5, 0.5, 'no image', ha='center', va='center', fontsize=7, color='gray')
    else:
        axes.imshow(image)
    axes.set_title(caption, fontsize=6, fontweight='bold' if bold else 'normal')


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


def _short(name: str) -> str:
    return name if len(name) <= 26 else f'...{name[-23:]}'
