"""Compute a gallery from images."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from mmfct.apis.extract_gallery.encoder import load_encoder, load_model_config
from mmfct.apis.extract_gallery.images import GalleryImages
from mmfct.datasets.image_pass import fill_shards, finish_together, seeded, time_per_item
from mmfct.engine.launch import init_launcher
from mmfct.models.item_encoder import ItemEncoder
from mmfct.retrieval import Gallery, GalleryWriter
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.texts import text_dtype
from mmfct.utils.distances import check_distance


def extract_gallery(
    filename: str,
    checkpoint: str,
    out: str,
    *,
    role: str = 'old',
    split: str = 'test',
    images: str | None = None,
    side_checkpoint: str | None = None,
    with_side: bool = True,
    distance: str = 'l2',
    batch_size: int = 256,
    num_workers: int = 0,
    shard_rows: int = 16384,
    device: str | None = None,
    launcher: str = 'none',
    cfg_options: dict[str, Any] | None = None,
) -> Gallery:
    """Compute the embedding and, if the config has any, the side-information of every image, in one pass.

    The same call continues an interrupted one. Several ranks share the shards.

    Args:
        filename: Config of a transformation or of a classifier, see `load_encoder`.
        checkpoint: Checkpoint of the embedding model.
        out: Folder of the gallery, with the columns ``embedding`` (D), ``side_info`` (S), ``id`` and, if the data
            have labels, ``label``.
        role: See `load_encoder`.
        split: See `GalleryImages`.
        images: Folder of image files, instead of a data set of the config.
        side_checkpoint: See `load_encoder`.
        with_side: See `load_encoder`.
        distance: Distance by which the embeddings are compared.
        batch_size: Images per forward pass.
        num_workers: Worker processes that load images.
        shard_rows: Rows per file.
        device: Where the networks run; ``None`` for the accelerator if there is one, else the CPU.
        launcher: See `init_launcher`.
        cfg_options: Options of the config, see `load_config`.

    Returns:
        The gallery.

    Raises:
        FileNotFoundError: If the config, a checkpoint or the images are missing.
        ValueError: If an option is out of range, an image cannot be read, an encoder returns NaN, or ``out`` holds
            another gallery.
    """
    check_distance(distance)
    init_launcher(launcher)
    config = load_model_config(filename, cfg_options)
    encoder = load_encoder(config, checkpoint, role=role, side_checkpoint=side_checkpoint, with_side=with_side)
    device = device or get_device()
    encoder.encode.to(device)
    data = GalleryImages(config, split=split, folder=images)
    rows = partial(_rows, encode=encoder.encode, device=device)
    with seeded(0):
        first = data[0]
    known = dict(id=data.ids) if data.labels is None else dict(id=data.ids, label=data.labels)
    computed = rows(dict(inputs=[first['inputs']], data_samples=[first['data_samples']]))
    preprocessing = data.preprocessing(first['inputs'])
    side_info = encoder.side_info and encoder.side_info.with_preprocessing(preprocessing)
    provenance = Provenance(encoder.embedding.with_preprocessing(preprocessing), side_info, distance)
    writer = GalleryWriter(
        out,
        columns={
            **{name: ('float32', values.shape[1]) for name, values in computed.items()},
            **{name: (text_dtype(values) if name == 'id' else 'int64', None) for name, values in known.items()},
        },
        num_rows=len(data),
        shard_rows=shard_rows,
        metadata=provenance.to_metadata() | dict(images=data.fingerprint, preprocessing=encoder.preprocessing),
    )
    seconds = fill_shards(writer, data, rows, known=known, batch_size=batch_size, num_workers=num_workers)
    finish_together(writer)
    if is_main_process():
        side = f' and side-information of {encoder.side_info}' if encoder.side_info else ''
        print_log(
            f'Gallery {out}: {len(data)} embeddings of {encoder.embedding}{side}{time_per_item(*seconds)}', 'current'
        )
    return Gallery(out, verify=False)


def _rows(batch: dict, encode: ItemEncoder, device: str) -> dict[str, np.ndarray]:
    """Compute the columns of one batch of images."""
    vectors = encode(torch.stack(batch['inputs']).to(device))._asdict()
    return {name: values.float().cpu().numpy() for name, values in vectors.items() if values is not None}
