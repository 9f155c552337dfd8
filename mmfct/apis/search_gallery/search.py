"""Search a gallery for the neighbours of an embedding set, from folders to a report."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log

from mmfct.apis.search_gallery.adapted import Adapted, AdapterFiles
from mmfct.apis.search_gallery.labels import labels_as_in
from mmfct.apis.search_gallery.neighbours import Found, find_neighbours
from mmfct.apis.search_gallery.report import check_sheet, report_neighbours
from mmfct.retrieval.gallery.provenance import Provenance, check_same_distance, check_same_model
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.loaded import open_checked
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.transform.same_space import other_space, spread_rows


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
    adapter: AdapterFiles | None = None,
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
        adapter: How queries of a newer model search the gallery; ``None`` for queries of its own model.

    Returns:
        The neighbours.

    Raises:
        FileNotFoundError: If a gallery, an index or a folder of images is missing.
        ImportError: If an index is given and FAISS is not installed.
        ValueError: If the queries come from another model than the gallery, or than the adapter maps, or are compared
            by another distance, or something is damaged or does not fit.
    """
    check_sheet(image_root, query_root, out)
    of_gallery = options
    if adapter is not None and options is not None and (adapter.gallery_model or options.model):
        of_gallery = replace(options, model=adapter.gallery_model, fingerprint=None)
    queries, opened = open_checked(query, options), open_checked(gallery, of_gallery)
    made_by, provenance = (Provenance.from_metadata(items.metadata) for items in (queries, opened))
    adapted = None
    if adapter is None:
        check_same_model(made_by.embedding, provenance)  # first: it says more than the distance
        check_same_distance('queries', made_by, provenance)
        _warn_of_another_space(queries, opened, provenance)
    else:
        adapted = Adapted.open(adapter, opened, index=index, options=options)
        if adapted.upgraded is not None:
            check_same_distance('queries', made_by, Provenance.from_metadata(adapted.upgraded.metadata))
    names = queries.column('id').tolist()
    embeddings = np.asarray(queries.column('embedding'))
    root = image_root if query_root is None else query_root
    files = [None if root is None else Path(root) / name for name in names]
    labels = _labels(queries, opened)
    made = made_by.embedding
    found = find_neighbours(opened, embeddings, made, names=names, labels=labels, k=k, index=index, adapted=adapted)
    return report_neighbours(found, files, image_root, out)


def _warn_of_another_space(queries: GallerySource, gallery: GallerySource, provenance: Provenance) -> None:
    """Warn of queries that do not lie where the gallery does, if that holds what the model itself computed."""
    if provenance.upgrades or queries.width('embedding') != gallery.width('embedding'):
        return
    asked, stored = (torch.from_numpy(one.rows('embedding', spread_rows(len(one)))) for one in (queries, gallery))
    fact = other_space(asked, stored, provenance.distance, f'those of {gallery.path}')
    if fact is not None:
        print_log(
            f'the queries of {queries.path} {fact}: neighbours mean nothing unless both are of one model',
            'current',
            logging.WARNING,
        )


def _labels(queries: GallerySource, gallery: GallerySource) -> list[int] | None:
    """Return the labels of queries as the gallery numbers them; ``None`` if there are none, or it lacks a name."""
    if 'label' not in queries.columns:
        return None
    return labels_as_in(gallery, queries.column('label').tolist(), queries)
