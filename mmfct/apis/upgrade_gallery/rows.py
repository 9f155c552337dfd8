"""Compute rows of an upgraded gallery."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.logging import print_log

from mmfct.apis.upgrade_gallery.chain import TransformChain, load_chain
from mmfct.retrieval.gallery.description import Column
from mmfct.retrieval.gallery.mixed import ORIGIN
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.gallery.shard import count_bad_rows
from mmfct.retrieval.stores.inspect import check_lengths
from mmfct.retrieval.stores.joined import open_joined, unjoined
from mmfct.retrieval.stores.options import SourceOptions

LOG_VARIANCE = 'log_variance'
# Columns about the embeddings that an upgrade replaces.
_OUTDATED = (ORIGIN, LOG_VARIANCE)
# What is compared with the vectors that a transform was learned from: so many rows of each of so many shards.
_PROBED_SHARDS, _PROBED_ROWS = 8, 512


def open_upgrade(
    gallery: str,
    transforms: Sequence[str],
    dtype: str,
    device: str | None,
    batch_size: int,
    options: SourceOptions | None = None,
) -> tuple[GallerySource, TransformChain]:
    """Open a gallery and the transforms for it; arguments and errors as in `upgrade_gallery`."""
    if batch_size < 1:
        raise ValueError(f'`batch_size` must be at least 1, got {batch_size!r}')
    source = open_joined(gallery, options)  # each shard is verified before it is used
    chain = load_chain(transforms, source, device=device or get_device(), dtype=dtype)
    if options is not None and options.side is not None and not chain.needs_side_info:
        print_log(f'{options.side} is not used: no transform takes side-information', 'current', logging.WARNING)
    check_inputs(chain, source)
    return source, chain


def check_inputs(chain: TransformChain, source: GallerySource) -> None:
    """Refuse a gallery whose vectors cannot come from where those came from that the transforms were learned from.

    Some rows of some shards, spread over the gallery, are looked at.

    Raises:
        ValueError: See `Transform.check_inputs`; or if a row is not finite, too short or too long.
    """
    shards = source.shards[:: -(-len(source.shards) // _PROBED_SHARDS)]
    rows = np.concatenate(
        [np.unique(np.linspace(start, stop - 1, _PROBED_ROWS).astype(np.int64)) for _, start, stop in shards]
    )
    old = _floats(source, 'embedding', rows)
    side = _floats(source, 'side_info', rows) if chain.needs_side_info else None
    for name, values in dict(embedding=old, side_info=side).items():
        if values is not None and (bad := count_bad_rows(values.numpy())):
            raise ValueError(
                f'`{name}` of {source.path} must be finite, got {bad} of {len(rows)} rows that were looked at with '
                'NaN or infinite values; remove or embed them again'
            )
        if values is not None:
            check_lengths(values.numpy(), f'`{name}` of {source.path}')
    chain.check_inputs(old, side, str(source.path))


def upgraded_columns(source: GallerySource, computed: Mapping[str, np.ndarray]) -> dict[str, tuple[str, int | None]]:
    """Describe the columns of the upgraded gallery: those that are computed, and those that are carried over.

    Side-information that is stored apart stays there.
    """
    carried = {name: column for name, column in unjoined(source).columns.items() if name not in _OUTDATED}
    return carried | {name: ('float32', *(rows.shape[1:] or (None,))) for name, rows in computed.items()}


def verify_rows(source: GallerySource, start: int, stop: int, verified: set[int]) -> None:
    """Verify the shards of a gallery that hold the rows from ``start`` up to, not including, ``stop``.

    Args:
        source: The gallery.
        start: First row.
        stop: Row after the last one.
        verified: Shards that are verified already, and skipped; those verified here are added.

    Raises:
        FileNotFoundError: See `Gallery.verify_shard`.
        ValueError: See there.
    """
    for shard in source.shards[start // source.shard_rows : (stop - 1) // source.shard_rows + 1]:
        if shard.index not in verified:
            source.verify_shard(shard.index)
            verified.add(shard.index)


def compute_columns(chain: TransformChain, source: GallerySource, start: int, stop: int) -> dict[str, np.ndarray]:
    """Compute the new columns, from row ``start`` up to, not including, ``stop``."""
    rows = np.arange(start, stop)
    side = _floats(source, 'side_info', rows) if chain.needs_side_info else None
    upgraded = chain(_floats(source, 'embedding', rows), side)
    log_variance = chain.log_variance(upgraded)
    columns = dict(embedding=upgraded) if log_variance is None else {'embedding': upgraded, LOG_VARIANCE: log_variance}
    return {name: values.cpu().numpy() for name, values in columns.items()}


def _floats(source: GallerySource, name: str, rows: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(source.rows(name, rows).astype(np.float32, copy=False))


def bytes_per_row(columns: dict[str, tuple[str, int | None]]) -> int:
    """Return the size of a row of a gallery with these columns."""
    return sum(Column(name, *column).row_bytes for name, column in columns.items())
