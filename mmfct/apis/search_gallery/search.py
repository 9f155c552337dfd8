"""Search a gallery for the neighbours of an embedding set, from folders to a report."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmfct.apis.search_gallery.neighbours import Found, find_neighbours
from mmfct.apis.search_gallery.report import check_sheet, report_neighbours
from mmfct.retrieval.gallery.description import label_names
from mmfct.retrieval.gallery.provenance import Provenance, check_same_distance, check_same_model
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.loaded import open_checked
from mmfct.retrieval.stores.options import SourceOptions


def search_gallery(
    gallery: str | Path,
    query: str | Path,
    *,
    k: int = 5,
    index: str | Path | None = None,
    image_root: str | Path | None = None,
    query_root: str | Path | None = None,
    out: str | Path | None = None,
    options: SourceOptions | None = None,
) -> Found:
    """Report the neighbours of queries that are embedded already.

    Args:
        gallery: Folder of the gallery; or anything else that `open_source` opens, which is read into memory.
        query: The embedding set, likewise.
        k: Number of neighbours.
        index: File of a FAISS index of the gallery; ``None`` for an exact search.
        image_root: Folder of the images that the ids of the gallery are relative to, for the sheet.
        query_root: Folder of the images that the ids of the queries are relative to; ``None`` for ``image_root``.
        out: Folder of ``neighbours.json`` and, with ``image_root``, ``neighbours.png``; ``None`` for no files.
        options: How to read vectors of another program, of gallery and queries.

    Returns:
        The neighbours.

    Raises:
        FileNotFoundError: If a gallery, an index or a folder of images is missing.
        ImportError: If an index is given and FAISS is not installed.
        ValueError: If the queries come from another model than the gallery or are compared by another distance, or
            something is damaged.
    """
    check_sheet(image_root, query_root, out)
    queries, opened = (open_checked(path, options) for path in (query, gallery))
    made_by, provenance = (Provenance.from_metadata(items.metadata) for items in (queries, opened))
    check_same_model(made_by.embedding, provenance)  # first: it says more than the distance
    check_same_distance('queries', made_by, provenance)
    names = queries.column('id').tolist()
    embeddings = np.asarray(queries.column('embedding'))
    root = image_root if query_root is None else query_root
    files = [None if root is None else Path(root) / name for name in names]
    labels = _labels(queries, opened)
    found = find_neighbours(opened, embeddings, made_by.embedding, names=names, labels=labels, k=k, index=index)
    return report_neighbours(found, files, image_root, out)


def _labels(queries: GallerySource, gallery: GallerySource) -> list[int] | None:
    """Return the labels of queries as the gallery numbers them; ``None`` if there are none, or it lacks a name."""
    if 'label' not in queries.columns:
        return None
    labels: list[int] = queries.column('label').tolist()
    given, wanted = label_names(queries.metadata), label_names(gallery.metadata)
    if not given or not wanted or given == wanted:
        return labels
    numbers = {name: number for number, name in wanted.items()}
    if any(name not in numbers for name in given.values()):
        return None
    return [numbers[given[label]] if label in given else label for label in labels]
