"""Gallery of an old model -> gallery of a new one, without images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmengine import dist
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.utils import ProgressBar

from mmfct.apis.galleries.chain import TransformChain, load_chain
from mmfct.datasets.image_pass import finish_together
from mmfct.engine.launch import init_launcher
from mmfct.retrieval import Gallery, GalleryWriter

# Rows that tell how fast an upgrade is.
_PROBE = 32768


def upgrade_gallery(
    gallery: str,
    transforms: Sequence[str],
    out: str,
    *,
    dtype: str = 'float32',
    batch_size: int = 16384,
    device: str | None = None,
    launcher: str = 'none',
) -> Gallery:
    """Apply one transform, or several in a row, to every stored embedding.

    Every other column is carried along; where the last transform predicts its uncertainty, the column
    ``log_variance`` says which rows to recompute first (FastFill, arXiv 2303.04766). An interrupted call is
    continued by the same call; several ranks share the shards; memory holds one shard, whatever the size of the
    gallery.

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
            something else.
    """
    init_launcher(launcher)
    source, chain = _open(gallery, transforms, dtype, device)
    computed = _compute(chain, {name: source.shard(name, 0) for name in source.columns}, slice(0, 1))
    writer = GalleryWriter(
        out,
        columns=source.columns | {name: ('float32', *(rows.shape[1:] or (None,))) for name, rows in computed.items()},
        num_rows=len(source),
        shard_rows=source.shard_rows,
        # What else the manifest says, such as the fingerprint of the images, stays true.
        metadata=source.metadata | chain.provenance.to_metadata() | dict(computed_in=dtype),
    )
    rank, world_size = dist.get_dist_info()
    pending = writer.pending(rank=rank, world_size=world_size)
    bar = ProgressBar(sum(stop - start for _, start, stop in pending)) if pending and rank == 0 else None
    for index, start, stop in pending:
        source.verify_shard(index)
        rows = {name: source.shard(name, index) for name in source.columns}
        parts: list[dict[str, np.ndarray]] = []
        for first in range(0, stop - start, batch_size):
            parts.append(_compute(chain, rows, slice(first, first + batch_size)))
            if bar is not None:
                bar.update(len(parts[-1]['embedding']))
        writer.write_shard(
            index, {**rows, **{name: np.concatenate([part[name] for part in parts]) for name in computed}}
        )
    if bar is not None:
        bar.file.write('\n')
    finish_together(writer)
    if rank == 0:
        print_log(f'Gallery {out}: {len(source)} embeddings of {chain.provenance.embedding}', 'current')
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
    batch_size: int = 16384,
    device: str | None = None,
) -> UpgradeEstimate:
    """Say what :func:`upgrade_gallery` would do, from a part of the first shard; arguments and errors as there."""
    source, chain = _open(gallery, transforms, dtype, device)
    rows = {name: source.shard(name, 0)[:_PROBE] for name in source.columns}
    part = slice(0, batch_size)
    _compute(chain, rows, part)  # the first call is slower
    started = time.perf_counter()
    number = 0
    for first in range(0, len(rows['embedding']), batch_size):
        number += len(_compute(chain, rows, slice(first, first + batch_size))['embedding'])
    seconds = (time.perf_counter() - started) * len(source) / number
    columns = {name: np.dtype(dtype).itemsize * (width or 1) for name, (dtype, width) in source.columns.items()}
    per_image = chain.transforms[-1].description.backfill_seconds
    return UpgradeEstimate(
        vectors=len(source),
        bytes_read=len(source) * sum(columns.values()),
        bytes_written=len(source) * (sum(columns.values()) - columns['embedding'] + 4 * chain.width),
        seconds=seconds,
        backfill_seconds=None if per_image is None else per_image * len(source),
    )


def _open(gallery: str, transforms: Sequence[str], dtype: str, device: str | None) -> tuple[Gallery, TransformChain]:
    source = Gallery(gallery, verify=False)  # each shard is verified before it is used
    return source, load_chain(transforms, source, device=device or get_device(), dtype=dtype)


def _compute(chain: TransformChain, rows: dict[str, np.ndarray], part: slice) -> dict[str, np.ndarray]:
    """Compute the new columns of a part of a shard."""
    # Copies, since torch has no read-only tensors.
    embedding = torch.from_numpy(np.array(rows['embedding'][part], dtype=np.float32))
    side = torch.from_numpy(np.array(rows['side_info'][part], dtype=np.float32)) if chain.needs_side_info else None
    upgraded = chain(embedding, side)
    log_variance = chain.log_variance(upgraded)
    columns = dict(embedding=upgraded) if log_variance is None else dict(embedding=upgraded, log_variance=log_variance)
    return {name: values.cpu().numpy() for name, values in columns.items()}
