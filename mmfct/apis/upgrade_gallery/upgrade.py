"""Upgrade a gallery of an old model to the space of a new one."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from os.path import abspath
from typing import Any

from mmengine import dist
from mmengine.logging import print_log

from mmfct.apis.upgrade_gallery.job import UpgradeJob
from mmfct.apis.upgrade_gallery.ray_engine import ray_module, upgrade_on_ray
from mmfct.datasets.image_pass import finish_together, time_per_item
from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.writer import write_behind
from mmfct.retrieval.stores.address import absolute_source, is_store
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.utils.progress import Progress

ENGINES = ('local', 'ray')


def upgrade_gallery(
    gallery: str,
    transforms: Sequence[str],
    out: str,
    *,
    dtype: str = 'float32',
    batch_size: int = 1024,
    device: str | None = None,
    distance: str | None = None,
    launcher: str = 'none',
    engine: str = 'local',
    options: SourceOptions | None = None,
) -> Gallery:
    """Apply one transform, or several in a row, to every stored embedding.

    All other columns are copied, except ``origin`` and ``log_variance``, which describe the embeddings that are
    replaced. If the last transform predicts its uncertainty, a new column ``log_variance`` says which rows to
    recompute first (FastFill, arXiv 2303.04766).

    The same call, with any engine, continues an interrupted one. Several ranks, or the workers of Ray, share the
    shards and write the same bytes as one process. Each holds two shards of the result in memory, whatever the sizes
    of the gallery and of its shards.

    Args:
        gallery: Folder of the gallery, or vectors of another program: anything that `open_source` opens, of which two
            shards are in memory, too.
        transforms: Files of the transforms, v1 -> v2, v2 -> v3 ...
        out: Folder of the upgraded gallery.
        dtype: Precision of the computation, ``'float32'``, ``'float16'`` or ``'bfloat16'``; float32 is stored.
        batch_size: Rows at once.
        device: Where h runs; ``None`` for the accelerator if there is one, else the CPU.
        distance: Distance by which the upgraded embeddings are compared, if the new model needs another one than the
            old model; ``None`` keeps that of the gallery.
        launcher: See `init_launcher`.
        engine: ``'local'`` for this process and the ranks of its launcher, ``'ray'`` for the workers of a Ray
            cluster, see `upgrade_on_ray`.
        options: How to read vectors of another program, and where side-information is that is stored apart: it stays
            there, and another upgrade needs it again.

    Returns:
        The upgraded gallery.

    Raises:
        FileNotFoundError: If the gallery or a transform is missing.
        ConnectionError: If a server of vectors does not answer.
        ImportError: If Ray, or what reads the vectors, is needed and not installed.
        ValueError: If gallery and transforms do not belong together, a shard is damaged, a result is not finite, or
            ``out`` is the gallery itself or holds something else, such as the upgrade of another gallery; if
            ``batch_size`` is not positive, engine or distance are unknown, or Ray is combined with a launcher.
    """
    if is_store(out):
        raise ValueError(f'`out` must be a folder, got {out!r}; databases are written by `upgrade_into_store`')
    if engine not in ENGINES:
        raise ValueError(f'`engine` must be one of {", ".join(ENGINES)}, got {engine!r}')
    if engine == 'ray':
        ray_module()  # before anything is written
        if launcher != 'none':
            raise ValueError(f"`launcher` must be 'none' with the engine 'ray', got {launcher!r}")
    # Not at the top: the workers of Ray import this module, and for the hooks beside it a third of their start.
    from mmfct.utils.launch import init_launcher

    init_launcher(launcher)
    words: dict[str, Any] = dict(gallery=gallery, transforms=transforms, out=out)
    settings: dict[str, Any] = dict(
        dtype=dtype, batch_size=batch_size, device=device, distance=distance, options=options
    )
    job = UpgradeJob(**words, **settings)
    rank, world_size = dist.get_dist_info()
    pending = job.writer.pending(rank=rank, world_size=world_size)
    total = sum(stop - start for _, start, stop in pending)
    progress = Progress(total)
    started = time.perf_counter()
    if engine == 'ray' and pending:
        # Workers do not share the working directory.
        words = dict(
            gallery=absolute_source(gallery), transforms=[abspath(path) for path in transforms], out=abspath(out)
        )
        if options is not None and options.side is not None:
            settings['options'] = replace(options, side=absolute_source(options.side))
        zero_rows = upgrade_on_ray(words | settings, pending, progress.advance, gpus=int(job.uses_gpu))
    else:
        with write_behind(job.writer) as write:
            for shard in pending:
                write(shard.index, job.compute(shard, progress.advance))
        zero_rows = sum(dist.all_gather_object(job.zero_rows))
    seconds = time.perf_counter() - started
    finish_together(job.writer)
    if rank == 0:
        model = job.chain.provenance.embedding
        if zero_rows:
            print_log(
                f'{zero_rows} of the embeddings are all zero, which no model makes: what became of them means '
                'nothing; remove them with `mmfct extend --remove`, or embed them',
                'current',
                logging.WARNING,
            )
        print_log(f'Gallery {out}: {len(job.source)} embeddings of {model}{time_per_item(seconds, total)}', 'current')
    return Gallery(out, verify=False)
