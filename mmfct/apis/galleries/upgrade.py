"""Gallery of an old model -> gallery of a new one, without images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine import dist
from mmengine.device import get_device
from mmengine.logging import print_log

from mmfct.apis.galleries.chain import TransformChain, load_chain
from mmfct.datasets.image_pass import finish_together, time_per_item
from mmfct.datasets.progress import Progress
from mmfct.engine.launch import init_launcher
from mmfct.retrieval import Gallery, GalleryWriter
from mmfct.retrieval.write_behind import write_behind

# Rows that tell how fast an upgrade is.
_PROBE = 32768
# Of one shard of the result: a gallery in few large files is upgraded in bounded memory, and by several ranks.
_SHARD_BYTES = 2**25


def upgrade_gallery(
    gallery: str,
    transforms: Sequence[str],
    out: str,
    *,
    dtype: str = 'float32',
    batch_size: int = 1024,
    device: str | None = None,
    launcher: str = 'none',
) -> Gallery:
    """Apply one transform, or several in a row, to every stored embedding.

    Every other column is carried along; where the last transform predicts its uncertainty, the column
    ``log_variance`` says which rows to recompute first (FastFill, arXiv 2303.04766). An interrupted call is
    continued by the same call; several ranks share the shards; memory holds two shards of the result, whatever the
    size of the gallery and of its own shards.

    Args:
        gallery: Folder of the gallery.
        transforms: Files of the transforms, v1 -> v2, v2 -> v3 ...
        out: Folder of the upgraded gallery.
        dtype: Precision of the computation, ``'float32'``, ``'float16'`` or ``'bfloat16'``; float32 is stored.
        batch_size: Rows at once.
        device: Where h runs; ``None`` for the accelerator, where there is one.
        launcher: See `init_launcher`.

    Returns:
        The upgraded gallery.

    Raises:
        FileNotFoundError: If the gallery or a transform is missing.
        ValueError: If they do not belong together, a shard is damaged, a result is not finite, or ``out`` holds
            something else, or is the gallery itself.
    """
    init_launcher(launcher)
    source, chain = _open(gallery, transforms, dtype, device)
    if source.path.resolve() in (Path(out).resolve(), *Path(out).resolve().parents):
        raise ValueError(f'`out` must be another folder than that of the gallery, got {out!r}')
    computed = _compute(chain, source, 0, 1)
    columns = source.columns | {name: ('float32', *(rows.shape[1:] or (None,))) for name, rows in computed.items()}
    writer = GalleryWriter(
        out,
        columns=columns,
        num_rows=len(source),
        shard_rows=min(source.shard_rows, max(1, _SHARD_BYTES // _bytes_per_row(columns))),
        # What else the manifest says, such as the fingerprint of the images, stays true.
        metadata=source.metadata | chain.provenance.to_metadata() | dict(computed_in=dtype),
    )
    rank, world_size = dist.get_dist_info()
    pending = writer.pending(rank=rank, world_size=world_size)
    total = sum(stop - start for _, start, stop in pending)
    progress = Progress(total)
    verified: set[int] = set()
    started = time.perf_counter()
    with write_behind(writer) as write:
        for index, start, stop in pending:
            _verify(source, start, stop, verified)
            parts: list[dict[str, np.ndarray]] = []
            for first in range(start, stop, batch_size):
                parts.append(_compute(chain, source, first, min(first + batch_size, stop)))
                progress.advance(len(parts[-1]['embedding']))
            rows = {name: np.concatenate([part[name] for part in parts]) for name in computed}
            carried = source.columns.keys() - rows.keys()
            write(index, rows | {name: source.rows(name, np.arange(start, stop)) for name in carried})
    seconds = time.perf_counter() - started
    finish_together(writer)
    if rank == 0:
        print_log(
            f'Gallery {out}: {len(source)} embeddings of {chain.provenance.embedding}{time_per_item(seconds, total)}',
            'current',
        )
    return Gallery(out, verify=False)


@dataclass(frozen=True)
class UpgradeEstimate:
    """What an upgrade would do.

    Args:
        vectors: Number of embeddings.
        bytes_read: Bytes of the gallery.
        bytes_written: Bytes of the upgraded one.
        seconds: Time that the transform would take here, from a part of the rows.
        backfill_seconds: Time that the new model would take for as many images where the transform was exported;
            ``None`` if that was not measured.
    """

    vectors: int
    bytes_read: int
    bytes_written: int
    seconds: float
    backfill_seconds: float | None

    def __str__(self) -> str:
        lines = [
            f'vectors          {self.vectors:,}',
            f'bytes to read    {self.bytes_read:,}',
            f'bytes to write   {self.bytes_written:,}',
            f'time, about      {self.seconds:,.1f} s, reading and writing not counted',
        ]
        if self.backfill_seconds is not None:
            ratio = self.backfill_seconds / self.seconds
            lines.append(
                f'a backfill       {self.backfill_seconds:,.1f} s, {ratio:,.0f} x as long, images not counted'
            )
        return '\n'.join(lines)


def estimate_upgrade(
    gallery: str,
    transforms: Sequence[str],
    *,
    dtype: str = 'float32',
    batch_size: int = 1024,
    device: str | None = None,
) -> UpgradeEstimate:
    """Say what :func:`upgrade_gallery` would do, from a part of the first shard; arguments and errors as there."""
    source, chain = _open(gallery, transforms, dtype, device)
    stop = min(len(source), _PROBE)
    computed = _compute(chain, source, 0, min(batch_size, stop))  # the first call is slower
    started = time.perf_counter()
    for first in range(0, stop, batch_size):
        _compute(chain, source, first, min(first + batch_size, stop))
    seconds = (time.perf_counter() - started) * len(source) / stop
    bytes_read = _bytes_per_row(source.columns)
    shapes = {name: ('float32', *(rows.shape[1:] or (None,))) for name, rows in computed.items()}
    per_image = chain.transforms[-1].description.backfill_seconds
    return UpgradeEstimate(
        vectors=len(source),
        bytes_read=len(source) * bytes_read,
        bytes_written=len(source) * _bytes_per_row(source.columns | shapes),
        seconds=seconds,
        backfill_seconds=None if per_image is None else per_image * len(source),
    )


def _open(gallery: str, transforms: Sequence[str], dtype: str, device: str | None) -> tuple[Gallery, TransformChain]:
    source = Gallery(gallery, verify=False)  # each shard is verified before it is used
    return source, load_chain(transforms, source, device=device or get_device(), dtype=dtype)


def _verify(source: Gallery, start: int, stop: int, verified: set[int]) -> None:
    """Verify the shards of the source that hold some rows, each once."""
    for shard in source.shards[start // source.shard_rows : (stop - 1) // source.shard_rows + 1]:
        if shard.index not in verified:
            source.verify_shard(shard.index)
            verified.add(shard.index)


def _compute(chain: TransformChain, source: Gallery, start: int, stop: int) -> dict[str, np.ndarray]:
    """Compute the new columns of some rows."""
    rows = np.arange(start, stop)
    embedding = torch.from_numpy(source.rows('embedding', rows).astype(np.float32, copy=False))
    side = None
    if chain.needs_side_info:
        side = torch.from_numpy(source.rows('side_info', rows).astype(np.float32, copy=False))
    upgraded = chain(embedding, side)
    log_variance = chain.log_variance(upgraded)
    columns = dict(embedding=upgraded) if log_variance is None else dict(embedding=upgraded, log_variance=log_variance)
    return {name: values.cpu().numpy() for name, values in columns.items()}


def _bytes_per_row(columns: dict[str, tuple[str, int | None]]) -> int:
    return sum(np.dtype(dtype).itemsize * (width or 1) for dtype, width in columns.values())
