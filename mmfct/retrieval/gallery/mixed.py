"""Mixed galleries: some embeddings are upgraded, the others recomputed by the new model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mmfct.retrieval.gallery.description import label_names
from mmfct.retrieval.gallery.provenance import Provenance, check_same_distance, check_same_preprocessing
from mmfct.retrieval.gallery.reader import Gallery, GallerySource
from mmfct.retrieval.gallery.same_items import MOST_COMPARED, check_same_items
from mmfct.retrieval.gallery.selection import find_ids, repeated_id
from mmfct.retrieval.gallery.writer import GalleryWriter

UPGRADED, RECOMPUTED = 0, 1
ORIGIN = 'origin'
# Entry of the metadata with the fingerprints of the two galleries.
MIXED = 'mixed'


def write_mixed_gallery(upgraded: Gallery, recomputed: GallerySource, out: str | Path) -> Gallery:
    """Replace upgraded embeddings by recomputed ones with the same ids.

    The column ``origin`` is 0 for upgraded and 1 for recomputed rows. If the upgraded gallery is mixed already, rows
    that were recomputed before stay marked, so a backfill can proceed in portions. Everything else is copied from the
    upgraded gallery. A killed job continues where it stopped.

    Args:
        upgraded: The upgraded gallery, mixed before or not.
        recomputed: Some of its items embedded by the new model. Labels are compared by their numbers, unless both have
            names for them.
        out: Folder of the mixed gallery.

    Returns:
        The mixed gallery.

    Raises:
        ValueError: If the two come from different models or differ in preprocessing, distance or width, an id occurs
            twice in ``recomputed``, is unknown, or has another label there, or recomputed embeddings are not near to
            the upgraded ones of the same ids.
    """
    provenances = [Provenance.from_metadata(gallery.metadata) for gallery in (upgraded, recomputed)]
    models = [provenance.embedding for provenance in provenances]
    if models[0].fingerprint != models[1].fingerprint:
        raise ValueError(f'`recomputed` must come from the model of the gallery, {models[0]}, got {models[1]}')
    check_same_preprocessing('recomputed embeddings', models[1], models[0])
    check_same_distance('recomputed embeddings', provenances[1], provenances[0])
    widths = (upgraded.width('embedding'), recomputed.width('embedding'))
    if widths[0] != widths[1]:
        raise ValueError(f'`recomputed` must have embeddings of width {widths[0]}, got {widths[1]}')
    ids = np.asarray(recomputed.column('id'))
    by_id = np.argsort(ids, kind='stable')
    ids = ids[by_id]
    if (repeated := repeated_id(ids)) is not None:
        raise ValueError(f'`recomputed` must have every id once, got {repeated!r} several times')
    rows = _rows_of(ids, upgraded)
    _check_same_space(upgraded, rows, recomputed, by_id)
    writer = GalleryWriter(
        out,
        columns={**upgraded.columns, ORIGIN: ('uint8', None)},
        num_rows=len(upgraded),
        shard_rows=upgraded.shard_rows,
        metadata={**upgraded.metadata, MIXED: [upgraded.fingerprint, recomputed.fingerprint]},
    )
    for index, _, _ in writer.pending():
        arrays: dict[str, np.ndarray] = {name: upgraded.shard(name, index) for name in upgraded.columns}
        place, found = find_ids(ids, arrays['id'])
        if 'label' in arrays and 'label' in recomputed.columns:
            _check_labels(upgraded, arrays, recomputed, found, by_id[place[found]])
        arrays['embedding'] = np.array(arrays['embedding'])
        arrays['embedding'][found] = recomputed.rows('embedding', by_id[place[found]])
        before = arrays.get(ORIGIN, np.full(len(found), UPGRADED, np.uint8))
        arrays[ORIGIN] = np.where(found, np.uint8(RECOMPUTED), before)
        writer.write_shard(index, arrays)
    writer.finish()
    return Gallery(out, verify=False)


def _rows_of(ids: np.ndarray, gallery: Gallery) -> np.ndarray:
    """Return the rows (N,) of sorted ids; refuse those that the gallery does not have: they would be dropped."""
    rows = np.full(len(ids), -1, np.int64)
    for index, start, _ in gallery.shards:
        place, found = find_ids(ids, np.asarray(gallery.shard('id', index)))
        rows[place[found]] = start + np.flatnonzero(found)
    if (rows < 0).any():
        raise ValueError(f'`recomputed` must hold items of the gallery, got the unknown id {str(ids[rows < 0][0])!r}')
    return rows


def _check_same_space(upgraded: Gallery, rows: np.ndarray, recomputed: GallerySource, by_id: np.ndarray) -> None:
    """Refuse recomputed embeddings that are of another model than they are said to be, or of other items."""
    chosen = np.random.default_rng(0).permutation(len(rows))[:MOST_COMPARED]
    before, after = (
        torch.from_numpy(gallery.rows('embedding', places[chosen]).astype(np.float32))
        for gallery, places in ((upgraded, rows), (recomputed, by_id))
    )
    check_same_items(before, after, str(recomputed.path))


def _check_labels(
    upgraded: Gallery, arrays: dict[str, np.ndarray], recomputed: GallerySource, found: np.ndarray, rows: np.ndarray
) -> None:
    """Refuse items with the same id and another label: their ids belong to other images."""
    before, after = arrays['label'][found], recomputed.rows('label', rows)
    names = [label_names(gallery.metadata) for gallery in (upgraded, recomputed)]
    if all(names) and names[0] != names[1]:  # stores number the texts that they have
        before, after = (
            np.array([known.get(int(label), str(label)) for label in labels])
            for known, labels in zip(names, (before, after), strict=True)
        )
    differs = before != after
    if differs.any():
        first = differs.argmax()
        name = str(arrays['id'][found][first])
        raise ValueError(
            f'`recomputed` must hold items of the gallery, got {name!r} with the label {after[first]} instead of '
            f'{before[first]}'
        )
