"""Make a gallery: every image through its encoders, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.device import get_device
from mmengine.registry import init_default_scope

from mmfct.apis.config import load_config
from mmfct.apis.gallery_data import gallery_images, number_of_workers
from mmfct.apis.gallery_encoders import gallery_encoders, identities
from mmfct.apis.gallery_job import GalleryJob, write_gallery
from mmfct.apis.gallery_rows import columns_of, compute_rows
from mmfct.engine.launch import init_launcher
from mmfct.registry import MODELS
from mmfct.retrieval import GalleryWriter
from mmfct.retrieval.gallery_column import check_count
from mmfct.retrieval.gallery_description import Shard
from mmfct.retrieval.provenance import Provenance


def extract_gallery(
    filename: str,
    checkpoint: str,
    out: str | Path,
    *,
    role: str | None = None,
    side_config: str | None = None,
    side_checkpoint: str | None = None,
    split: str = 'test',
    images: str | Path | None = None,
    labels_from_folders: bool = False,
    distance: str = 'l2',
    batch_size: int = 64,
    num_workers: int | None = None,
    shard_rows: int = 4096,
    device: str | None = None,
    launcher: str = 'none',
    cfg_options: dict[str, Any] | None = None,
) -> GalleryJob:
    """Write a gallery of a model: columns ``embedding``, ``id``, and ``side_info`` and ``label`` where there are any.

    Embedding and side-information come from one pass over the images. A job that was stopped goes on where it
    stopped, and the result is byte for byte that of one that was not.

    Args:
        filename: Config of the model, or of a transform's stage.
        checkpoint: Checkpoint of the model.
        out: Folder of the gallery: new, empty, or what such a job left.
        role: See `gallery_encoders`.
        side_config: See there.
        side_checkpoint: See there.
        split: See `gallery_images`.
        images: See there.
        labels_from_folders: See there.
        distance: How its embeddings are compared, see `mmfct.functional.distance`.
        batch_size: Images per forward pass.
        num_workers: Processes that load images; ``None`` for what the config says.
        shard_rows: Images per shard: what is lost at most when a job is killed, and what a rank takes at a time.
        device: Where the encoders run; ``None`` for the accelerator, if there is one.
        launcher: What started the ranks, see `init_launcher`; each takes its share of the shards.
        cfg_options: Values by dotted key, see `load_config`.

    Raises:
        FileNotFoundError: If a config, a checkpoint or the data are missing.
        ValueError: If arguments do not fit one another, a checkpoint is of another model, an image cannot be loaded,
            an embedding is not finite, or ``out`` holds something else.
    """
    check_count(batch_size, 'batch_size')
    init_launcher(launcher)
    config = load_config(filename, cfg_options)
    side = None if side_config is None else load_config(side_config, cfg_options)
    init_default_scope(config.get('default_scope', 'mmengine'))
    encoders = gallery_encoders(config, checkpoint, role=role, side_config=side, side_checkpoint=side_checkpoint)
    network = MODELS.build({'type': 'mmfct.FrozenEncoders', **encoders})
    data = gallery_images(config, split=split, images=images, labels_from_folders=labels_from_folders)
    models = identities(network, encoders)
    network = network.to(device or get_device())
    writer = GalleryWriter(
        out,
        columns=columns_of(network, data),
        num_rows=len(data),
        shard_rows=shard_rows,
        metadata=dict(
            Provenance(models['old'], models.get('side'), distance).to_metadata(), images=data.fingerprint()
        ),
    )
    if num_workers is None:
        num_workers = number_of_workers(config, split if images is None else 'test')

    def compute(shard: Shard, advance: Callable[[int], None]) -> dict[str, np.ndarray]:
        return compute_rows(network, data, shard, batch_size, num_workers, advance)

    return write_gallery(writer, compute)
