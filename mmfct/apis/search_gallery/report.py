"""What a search found, as a table, as JSON, and as a sheet of pictures."""

from __future__ import annotations

import logging
from pathlib import Path

from mmengine.logging import print_log

from mmfct.apis.search_gallery.neighbours import Found
from mmfct.apis.search_gallery.sheet import draw_neighbour_sheet
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json

# A terminal shows about this many queries; all are in the JSON.
_PRINTED_QUERIES = 10


def report_neighbours(
    found: Found, files: list[Path | None], image_root: str | Path | None, out: str | Path | None
) -> Found:
    """Print the table of the first queries; write ``neighbours.json`` and, with the images, ``neighbours.png``.

    Args:
        found: The neighbours.
        files: Image of each query, or ``None``.
        image_root: Folder of the images of the gallery, or ``None``.
        out: Folder of the files, or ``None``.
    """
    number = len(found.queries)
    title = 'nearest neighbours'
    if number > _PRINTED_QUERIES:
        place = f'in {Path(out) / "neighbours.json"}' if out is not None else 'written with `out` (`--out DIR`)'
        title = f'nearest neighbours of the first {_PRINTED_QUERIES} of {number} queries; all are {place}'
    print_log(f'{title}\n{found.table(_PRINTED_QUERIES)}', 'current')
    if out is not None:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / 'neighbours.json', encode_json(found.to_json()))
        if image_root is not None:
            _say_what_is_missing(found, files, Path(image_root))
            draw_neighbour_sheet(found, files, image_root, folder / 'neighbours.png')
        print_log(f'written to {folder}', 'current')
    return found


def check_sheet(image_root: str | Path | None, query_root: str | Path | None, out: str | Path | None) -> None:
    """Refuse options of a sheet that cannot be drawn, before anything is searched.

    Raises:
        FileNotFoundError: If a folder of images is missing.
        ValueError: If there is nowhere to write the sheet, or no folder for the images of the gallery.
    """
    for name, root in (('image_root', image_root), ('query_root', query_root)):
        if root is not None and not Path(root).is_dir():
            raise FileNotFoundError(f'`{name}` must be a folder of images, got {str(root)!r}')
    if image_root is not None and out is None:
        raise ValueError(
            f'`image_root` is for a sheet of pictures, which needs `out` (`--out DIR`), got {image_root!r}'
        )
    if query_root is not None and image_root is None:
        raise ValueError(
            f'`query_root` needs `image_root`, the folder of the images of the gallery, got {query_root!r}'
        )


def _say_what_is_missing(found: Found, files: list[Path | None], image_root: Path) -> None:
    """Warn if the images of all queries, or of all neighbours, are not where they are looked for."""
    known = [file for file in files if file is not None]
    sides = (
        ('queries', known, '`query_root` (`--query-root DIR`)'),
        ('neighbours', [image_root / name for ids in found.ids for name in ids], '`image_root` (`--image-root DIR`)'),
    )
    for what, paths, option in sides:
        if paths and not any(path.is_file() for path in paths):
            print_log(
                f'no image of the {what} was found, such as {paths[0]}: {option} must be the folder that their ids '
                'are relative to',
                'current',
                logging.WARNING,
            )
