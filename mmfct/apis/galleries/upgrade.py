"""Gallery of an old model -> gallery of a new one, without images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine import dist
from mmengine.logging import print_log

from mmfct.apis.galleries.upgrade_rows import (
    bytes_per_row,
    compute_columns,
    open_upgrade,
    upgraded_columns,
    verify_rows,
)
from mmfct.datasets.image_pass import finish_together, time_per_item
from mmfct.datasets.progress import Progress
from mmfct.engine.launch import init_launcher
from mmfct.retrieval import Gallery, GalleryWriter
from mmfct.retrieval.mixed_gallery import MIXED
from mmfct.retrieval.write_behind import write_behind

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

    Every other column is carried along, but for what an earlier partial upgrade noted of the embeddings that are
    replaced; where the last transform predicts its uncertainty, the column ``log_variance`` says which rows to
    recompute first (FastFill, arXiv 2303.04766). An interrupted call is continued by the same call; several ranks
    share the shards; memory holds two shards of the result, whatever the size of the gallery and of its own shards.

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
    source, chain = open_upgrade(gallery, transforms, dtype, device)
    if source.path.resolve() in (Path(out).resolve(), *Path(out).resolve().parents):
        raise ValueError(f'`out` must be another folder than that of the gallery, got {out!r}')
    computed = compute_columns(chain, source, 0, 1)
    columns = upgraded_columns(source, computed)
    metadata = {name: entry for name, entry in source.metadata.items() if name != MIXED}
    writer = GalleryWriter(
        out,
        columns=columns,
        num_rows=len(source),
        shard_rows=min(source.shard_rows, max(1, _SHARD_BYTES // bytes_per_row(columns))),
        # What else the manifest says, such as the fingerprint of the images, stays true.
        metadata=metadata | chain.provenance.to_metadata() | dict(computed_in=dtype),
    )
    rank, world_size = dist.get_dist_info()
    pending = writer.pending(rank=rank, world_size=world_size)
    total = sum(stop - start for _, start, stop in pending)
    progress = Progress(total)
    verified: set[int] = set()
    started = time.perf_counter()
    with write_behind(writer) as write:
        for index, start, stop in pending:
            verify_rows(source, start, stop, verified)
            parts: list[dict[str, np.ndarray]] = []
            for first in range(start, stop, batch_size):
                parts.append(compute_columns(chain, source, first, min(first + batch_size, stop)))
                progress.advance(len(parts[-1]['embedding']))
            rows = {name: np.concatenate([part[name] for part in parts]) for name in computed}
            carried = columns.keys() - rows.keys()
            write(index, rows | {name: source.rows(name, np.arange(start, stop)) for name in carried})
    seconds = time.perf_counter() - started
    finish_together(writer)
    if rank == 0:
        print_log(
            f'Gallery {out}: {len(source)} embeddings of {chain.provenance.embedding}{time_per_item(seconds, total)}',
            'current',
        )
    return Gallery(out, verify=False)
