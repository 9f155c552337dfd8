"""Search a gallery for the neighbours of images or of embedded queries, from folders to a table and a sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmfct.apis.search_gallery.search import Found, search
from mmfct.apis.search_gallery.sheet import draw_neighbour_sheet
from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import Provenance, check_same_distance, check_same_model
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json


def search_gallery(
    gallery: str | Path,
    query: str | Path,
    *,
    k: int = 5,
    index: str | Path | None = None,
    image_root: str | Path | None = None,
    out: str | Path | None = None,
) -> Found:
    """Print the neighbours of queries that are embedded already.

    Args:
        gallery: Folder of the gallery.
        query: Folder of the queries, in the format of a gallery.
        k: Number of neighbours.
        index: File of a FAISS index of the gallery; ``None`` to compare with every row.
        image_root: Folder of the images that ids are relative to, for the sheet.
        out: Folder of ``neighbours.json`` and, with ``image_root``, ``neighbours.png``; ``None`` for no files.

    Returns:
        The neighbours.

    Raises:
        FileNotFoundError: If a folder or file is missing.
        ImportError: If an index is given and FAISS is not installed.
        ValueError: If the queries come from another model than the gallery or are compared by another distance, or
            something is damaged.
    """
    queries, opened = Gallery(query), Gallery(gallery)
    made_by, provenance = (Provenance.from_metadata(items.metadata) for items in (queries, opened))
    check_same_model(made_by.embedding, provenance)  # the difference that says more, if there are two
    check_same_distance('queries', made_by, provenance)
    names = queries.column('id').tolist()
    embeddings = np.asarray(queries.column('embedding'))
    files = [None if image_root is None else Path(image_root) / name for name in names]
    found = search(opened, embeddings, made_by.embedding, names=names, k=k, index=index)
    return report_neighbours(found, files, image_root, out)


def report_neighbours(
    found: Found, files: list[Path | None], image_root: str | Path | None, out: str | Path | None
) -> Found:
    """Print the table; write the numbers, and the sheet where the images are known.

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
