"""Search a gallery for the neighbours of an embedding set, from folders to a report."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmfct.apis.search_gallery.neighbours import Found, find_neighbours
from mmfct.apis.search_gallery.report import check_sheet, report_neighbours
from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import Provenance, check_same_distance, check_same_model


def search_gallery(
    gallery: str | Path,
    query: str | Path,
    *,
    k: int = 5,
    index: str | Path | None = None,
    image_root: str | Path | None = None,
    query_root: str | Path | None = None,
    out: str | Path | None = None,
) -> Found:
    """Report the neighbours of queries that are embedded already.

    Args:
        gallery: Folder of the gallery.
        query: Folder of the embedding set, in the format of a gallery.
        k: Number of neighbours.
        index: File of a FAISS index of the gallery; ``None`` for an exact search.
        image_root: Folder of the images that the ids of the gallery are relative to, for the sheet.
        query_root: Folder of the images that the ids of the queries are relative to; ``None`` for ``image_root``.
        out: Folder of ``neighbours.json`` and, with ``image_root``, ``neighbours.png``; ``None`` for no files.

    Returns:
        The neighbours.

    Raises:
        FileNotFoundError: If a gallery, an index or a folder of images is missing.
        ImportError: If an index is given and FAISS is not installed.
        ValueError: If the queries come from another model than the gallery or are compared by another distance, or
            something is damaged.
    """
    check_sheet(image_root, query_root, out)
    queries, opened = Gallery(query), Gallery(gallery)
    made_by, provenance = (Provenance.from_metadata(items.metadata) for items in (queries, opened))
    check_same_model(made_by.embedding, provenance)  # first: it says more than the distance
    check_same_distance('queries', made_by, provenance)
    names = queries.column('id').tolist()
    embeddings = np.asarray(queries.column('embedding'))
    root = image_root if query_root is None else query_root
    files = [None if root is None else Path(root) / name for name in names]
    labels = queries.column('label').tolist() if 'label' in queries.columns else None
    found = find_neighbours(opened, embeddings, made_by.embedding, names=names, labels=labels, k=k, index=index)
    return report_neighbours(found, files, image_root, out)
