"""Append items to a gallery and remove some: what was embedded stays as it is, with its provenance."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmfct.retrieval.gallery.description import LABEL_NAMES, OF_ITEMS, Column, merge_label_names
from mmfct.retrieval.gallery.mixed import ORIGIN, RECOMPUTED, UPGRADED
from mmfct.retrieval.gallery.provenance import (
    ModelIdentity,
    Provenance,
    check_same_distance,
    check_same_preprocessing,
)
from mmfct.retrieval.gallery.reader import Gallery, GallerySource
from mmfct.retrieval.gallery.selection import Selection, copy_rows, find_ids, merge_columns, repeated_id
from mmfct.retrieval.gallery.texts import text_array
from mmfct.retrieval.gallery.writer import GalleryWriter

# Entry of the metadata with the galleries that rows come from, and what was removed.
EXTENDED = 'extended'
_NEEDED = ('embedding', 'id')


def write_extended_gallery(
    gallery: GallerySource,
    out: str | Path,
    *,
    added: Sequence[GallerySource] = (),
    removed: Sequence[str] = (),
    replace_items: bool = False,
    common_columns: bool = False,
    progress: Callable[[int], Callable[[int], None]] = lambda total: lambda rows: None,
) -> Gallery:
    """Write a gallery without some items and with those of other galleries at its end.

    The same call continues an interrupted one. If embeddings that were upgraded and embeddings that the new model
    computed itself come together, the column ``origin`` tells them apart, as in a mixed gallery. Memory holds the ids
    that are added and removed, and the rows of one shard.

    Args:
        gallery: The gallery.
        out: Folder of the new gallery.
        added: Further items, embedded by the same model with the same preprocessing.
        removed: Ids of items of the gallery.
        replace_items: Whether an added item takes the place of one of the gallery that has its id.
        common_columns: Whether to leave out columns that not all galleries have.
        progress: Called with the number of rows to write; returns what is called shard by shard with those written.

    Returns:
        The new gallery.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If galleries do not fit together, an id is unknown or would occur twice, nothing would be left, a
            shard is damaged, or ``out`` holds something else.
    """
    sources = [gallery, *added]
    provenance = _check_provenance(sources)
    columns = _columns(sources, common_columns)
    if 'side_info' not in columns:
        provenance = replace(provenance, side_info=None)
    ids = _unique_ids(gallery, added)
    gone = _as_ids(removed, gallery)
    kept = _kept_rows(gallery, ids, gone, replace_items=replace_items)
    selections = [
        Selection(source, rows, {ORIGIN: _origin(source)})
        for source, rows in zip(sources, [kept, *(np.arange(len(source)) for source in added)], strict=True)
    ]
    num_rows = sum(len(selection.rows) for selection in selections)
    if not num_rows:
        raise ValueError(f'a gallery must keep an item, got {len(gone)} to remove from {str(gallery.path)!r}, all')
    entry = dict(
        {'from': gallery.fingerprint},
        added=[dict(fingerprint=one.fingerprint, upgrades=one.metadata['upgrades']) for one in added],
        removed=_hash(gone) if len(gone) else None,
    )
    metadata = {name: value for name, value in gallery.metadata.items() if name not in OF_ITEMS}
    names = merge_label_names({str(one.path): one.metadata for one in sources}) if 'label' in columns else {}
    writer = GalleryWriter(
        out,
        columns=columns,
        num_rows=num_rows,
        shard_rows=gallery.shard_rows,
        metadata=metadata | provenance.to_metadata() | {EXTENDED: entry} | ({LABEL_NAMES: names} if names else {}),
    )
    total = sum(stop - start for _, start, stop in writer.pending())
    copy_rows(writer, selections, columns, advance=progress(total))
    writer.finish()
    return Gallery(out, verify=False)


def _check_provenance(sources: Sequence[GallerySource]) -> Provenance:
    """Refuse galleries of other models; return the provenance of the first, with the upgrades of one that has any."""
    first, *others = (Provenance.from_metadata(source.metadata) for source in sources)
    for source, other in zip(sources[1:], others, strict=True):
        what = f'items of {str(source.path)!r}'
        _check_model(what, other.embedding, first.embedding)
        check_same_distance(what, other, first)
        if all('side_info' in one.columns for one in (sources[0], source)):
            _check_model(f'side-information of {what}', other.side_info, first.side_info)
    histories = [one.upgrades for one in (first, *others) if one.upgrades]
    return replace(first, upgrades=histories[0] if histories else ())


def _check_model(what: str, given: ModelIdentity | None, wanted: ModelIdentity | None) -> None:
    if given is None and wanted is None:
        return
    if given is None or wanted is None or given.fingerprint != wanted.fingerprint:
        raise ValueError(
            f'{what} must come from the model of those of the gallery, {wanted}, got {given}; embed them with that '
            'model, or upgrade the older of the two galleries with `mmfct upgrade`'
        )
    check_same_preprocessing(what, given, wanted)


def _columns(sources: Sequence[GallerySource], common: bool) -> dict[str, tuple[str, int | None]]:
    """Return the columns of the new gallery."""
    shared = [name for name in sources[0].columns if all(name in source.columns for source in sources)]
    missing = [name for name in _NEEDED if name not in shared]
    if missing:
        raise ValueError(f'all galleries must have the columns {", ".join(_NEEDED)}, got none called {missing[0]!r}')
    known = sorted({name for source in sources for name in source.columns} - {ORIGIN})
    differing = [name for name in known if name not in shared]
    if differing and not common:
        raise ValueError(
            f'all galleries must have the same columns, got {", ".join(differing)} in some of them only; leave out '
            'what they do not share with `--common-columns`, or make the other ones with it'
        )
    columns = {
        name: merge_columns(name, [source.columns[name] for source in sources]) for name in shared if name != ORIGIN
    }
    origins = {_origin(source) for source in sources}
    if len(origins) > 1 or any(ORIGIN in source.columns for source in sources):
        columns[ORIGIN] = ('uint8', None)
    return columns


def _origin(source: GallerySource) -> int:
    return UPGRADED if Provenance.from_metadata(source.metadata).upgrades else RECOMPUTED


def _unique_ids(gallery: GallerySource, added: Sequence[GallerySource]) -> np.ndarray:
    """Return the ids that are added, sorted; refuse repeated ones."""
    if not added:
        return np.empty(0, np.asarray(gallery.rows('id', np.arange(1))).dtype)
    ids = np.sort(np.concatenate([np.asarray(source.column('id')) for source in added]))
    if (repeated := repeated_id(ids)) is not None:
        raise ValueError(f'an item must be added once, got {repeated!r} several times')
    return ids


def _as_ids(removed: Sequence[str], gallery: GallerySource) -> np.ndarray:
    """Return ids that are given as texts as those of a gallery, sorted and each once."""
    if Column('id', *gallery.columns['id']).numpy_dtype.kind not in 'iu':
        return np.unique(text_array(list(removed))) if len(removed) else np.empty(0, '<U1')
    try:
        return np.unique(np.array([int(name) for name in removed], np.int64))
    except ValueError as error:
        raise ValueError(
            f'the ids of {str(gallery.path)!r} are integers, got another one to remove: {error}'
        ) from error


def _kept_rows(gallery: GallerySource, added: np.ndarray, removed: np.ndarray, *, replace_items: bool) -> np.ndarray:
    """Return the rows of a gallery that stay, int64 of shape (N,)."""
    keep = np.ones(len(gallery), bool)
    known = np.zeros(len(removed), bool)
    for index, start, stop in gallery.shards:
        ids = np.asarray(gallery.shard('id', index))
        if len(removed):
            place, found = find_ids(removed, ids)
            known[place[found]] = True
            keep[start:stop] &= ~found
        if len(added):
            _, found = find_ids(added, ids)
            twice = ids[found & keep[start:stop]]
            if len(twice) and not replace_items:
                raise ValueError(
                    f'an added item must be new, got {str(twice[0])!r}, which the gallery has; replace such items '
                    'with `--replace`'
                )
            keep[start:stop] &= ~found
    if not known.all():
        unknown = removed[~known]
        raise ValueError(
            f'an item that is removed must be in the gallery, got {len(unknown)} unknown ids, such as '
            f'{str(unknown[0])!r}'
        )
    return np.flatnonzero(keep)


def _hash(ids: np.ndarray) -> str:
    return hashlib.sha256('\n'.join(map(repr, ids.tolist())).encode()).hexdigest()
