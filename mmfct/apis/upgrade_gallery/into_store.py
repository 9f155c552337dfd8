"""Upgrade a gallery into a vector database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from mmengine.logging import print_log

from mmfct.apis.upgrade_gallery.chain import TransformChain
from mmfct.apis.upgrade_gallery.job import upgraded_metadata
from mmfct.apis.upgrade_gallery.rows import LOG_VARIANCE, compute_columns, open_upgrade, upgraded_columns, verify_rows
from mmfct.datasets.image_pass import time_per_item
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.gallery.shard import count_bad_rows
from mmfct.retrieval.stores.address import StoreAddress, absolute_source, is_store, parse_store
from mmfct.retrieval.stores.foreign import ForeignSource
from mmfct.retrieval.stores.inspect import count_zero_rows
from mmfct.retrieval.stores.joined import unjoined
from mmfct.retrieval.stores.notes_target import TargetNotes
from mmfct.retrieval.stores.open_target import noted_vector, opened_qdrant, opened_target, same_table
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.qdrant_alias import check_alias, rollback_alias, switch_alias
from mmfct.retrieval.stores.vector_target import VectorTarget
from mmfct.utils.progress import Progress

_MAX_ROWS = 65536


def upgrade_into_store(
    gallery: str,
    transforms: Sequence[str],
    out: str,
    *,
    options: SourceOptions | None = None,
    dtype: str = 'float32',
    batch_size: int = 1024,
    device: str | None = None,
    distance: str | None = None,
    switch: str | None = None,
) -> TargetNotes:
    """Write upgraded vectors into a new table, collection, column or named vector.

    The same call continues an interrupted one, and what is written in the end is the same. The target notes which
    upgrade it is of, and is noted as complete once the numbers of rows, all ids and a sample of the vectors have been
    compared with the source; that is also what a repeated call does when nothing is left to be written.

    Args:
        gallery: Any gallery that `open_source` opens.
        transforms: Files of the transforms, v1 -> v2, v2 -> v3 ...
        out: Address of the target. With a column, as in ``lancedb:db/items#vector_v2``, and the table or collection of
            ``gallery`` itself, that gets a new column or named vector. Otherwise a new table or collection is made,
            with everything else that is in that of ``gallery`` if it is of the same kind of database.
        options: How to read vectors of another program.
        dtype: See `upgrade_gallery`.
        batch_size: See there.
        device: See there.
        distance: See there.
        switch: Alias of Qdrant that names ``out`` from then on, see `switch_alias`; ``None`` leaves all as they are.

    Returns:
        What the target notes about itself.

    Raises:
        ConnectionError: If a server does not answer, or answers with an error.
        FileNotFoundError: If the gallery or a transform is missing.
        ImportError: If the package of a database is not installed.
        ValueError: If gallery and transforms do not belong together, ids are not unique, a result is not finite, or
            ``out`` exists and is not that of the same upgrade, or is not what it must be in the end.
    """
    address = parse_store(absolute_source(out))
    in_place = is_store(gallery) and same_table(parse_store(absolute_source(gallery)), address)
    if in_place:
        options = _options_of(address, options or SourceOptions())
    source, chain = open_upgrade(gallery, transforms, dtype, device, batch_size, options)
    described = upgraded_columns(source, compute_columns(chain, source, 0, 1))
    if in_place and LOG_VARIANCE in described:
        print_log(f'{address}: predicted uncertainties are only written into new tables and collections', 'current')
    notes = _notes(gallery, source, chain, dtype, distance, in_place)
    started = time.perf_counter()
    if switch is not None:
        _check_switch(address, switch)
        with opened_qdrant(address, create=True) as client:
            check_alias(client, address, switch)
    with opened_target(address, unjoined(source), notes, described, in_place=in_place) as target:
        written = _write(target, source, chain, batch_size)
        target.finish(_expected(chain, source))
        notes = target.notes
    took = time_per_item(time.perf_counter() - started, written)
    print_log(f'{address}: {len(source)} embeddings of {chain.provenance.embedding}{took}', 'current')
    if switch is not None:
        _switch(address, switch)
    return notes


def rollback_switch(out: str, alias: str) -> None:
    """Let an alias of Qdrant name the collection again that it named before ``out``, see `rollback_alias`.

    Args:
        out: Address of the upgraded collection.
        alias: The alias.

    Raises:
        ConnectionError: If the server does not answer, or answers with an error.
        FileNotFoundError: If there is no such database or collection.
        ValueError: If the alias was not switched to it, or cannot be switched back.
    """
    address = parse_store(absolute_source(out))
    _check_switch(address, alias)
    with opened_qdrant(address) as client:
        previous = rollback_alias(client, address, alias)
    print_log(f'alias {alias} {"is removed" if previous is None else f"names {previous} again"}', 'current')


def _check_switch(address: StoreAddress, alias: str) -> None:
    if address.kind != 'qdrant':
        raise ValueError(f'{address} cannot be named by {alias!r}: LanceDB has no aliases; open the table by its name')
    if address.column is not None:
        raise ValueError(
            f'{address} cannot be named by {alias!r}: an alias names a whole collection; search with `using` instead, '
            'or write into a new collection'
        )


def _options_of(address: StoreAddress, options: SourceOptions) -> SourceOptions:
    """Find the vectors of an earlier run, which are no longer the only ones of the table."""
    if address.column is None:
        raise ValueError(f'a new column or vector must be named, as in {address}#vector_v2, got the source itself')
    if options.columns.vector == address.column:
        raise ValueError(f'{address} must be another column than the one that is upgraded')
    vector = options.columns.vector or noted_vector(address)
    return replace(options, columns=replace(options.columns, vector=vector))


def _notes(
    gallery: str, source: GallerySource, chain: TransformChain, dtype: str, distance: str | None, in_place: bool
) -> TargetNotes:
    stored = unjoined(source)
    return TargetNotes(
        source=absolute_source(gallery),
        vector=stored.chosen.vector if isinstance(stored, ForeignSource) else None,
        fingerprint=None if in_place else source.fingerprint,
        transforms=tuple(transform.fingerprint for transform in chain.transforms),
        metadata=upgraded_metadata(source, chain, dtype, distance),
    )


def _write(target: VectorTarget, source: GallerySource, chain: TransformChain, batch_size: int) -> int:
    """Write what is pending; batches begin at the same rows in every run, so that sums are rounded alike."""
    step = min(_MAX_ROWS, target.batch_bytes // (4 * (chain.width or 1)))
    step = max(1, step // batch_size) * batch_size
    progress, verified, written, zero_rows = Progress(len(source)), set[int](), 0, 0
    for start in range(0, len(source), step):
        stop = min(start + step, len(source))
        pending = target.pending(start, stop)
        if pending.any():
            verify_rows(source, start, stop, verified)
            parts = [
                compute_columns(chain, source, first, min(first + batch_size, stop))
                for first in range(start, stop, batch_size)
            ]
            rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            for name, values in rows.items():
                if bad := count_bad_rows(values):
                    raise ValueError(f'`{name}` must be finite, got {bad} rows with NaN or infinite values')
            carried = upgraded_columns(source, rows).keys() - rows.keys()
            rows |= {name: target.source.rows(name, np.arange(start, stop)) for name in carried}
            target.write(start, rows, pending)
            written += int(pending.sum())
            zero_rows += count_zero_rows(source.rows('embedding', np.arange(start, stop)[pending]))
        progress.advance(stop - start)
    if zero_rows:
        print_log(
            f'{zero_rows} of the embeddings are all zero, which no model makes: what became of them means nothing',
            'current',
            logging.WARNING,
        )
    return written


def _expected(chain: TransformChain, source: GallerySource) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that upgrades any rows."""

    def compute(rows: np.ndarray) -> np.ndarray:
        embedding = torch.from_numpy(source.rows('embedding', rows).astype(np.float32, copy=False))
        side = None
        if chain.needs_side_info:
            side = torch.from_numpy(source.rows('side_info', rows).astype(np.float32, copy=False))
        return chain(embedding, side).cpu().numpy()

    return compute


def _switch(address: StoreAddress, alias: str) -> None:
    with opened_qdrant(address) as client:
        before = switch_alias(client, address, alias)
    was = 'did not exist' if before is None else f'named {before}'
    print_log(f'alias {alias} names {address.name}, before it {was}; `--rollback {alias}` undoes this', 'current')
