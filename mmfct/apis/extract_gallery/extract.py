"""Compute a gallery from images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from torch import Tensor
from torch.utils.data import Subset

from mmfct.apis.extract_gallery.encoder import load_encoder, load_model_config
from mmfct.apis.extract_gallery.images import GalleryImages
from mmfct.apis.extract_gallery.skip_broken import ERROR, write_without_broken
from mmfct.datasets.image_pass import fill_shards, finish_together, seeded, time_per_item
from mmfct.models.item_encoder import ItemEncoder
from mmfct.retrieval import Gallery, GalleryWriter
from mmfct.retrieval.gallery.description import LABEL_NAMES, PART
from mmfct.retrieval.gallery.parts import Part
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.texts import text_dtype
from mmfct.utils.distances import check_distance
from mmfct.utils.launch import init_launcher


def extract_gallery(
    filename: str,
    checkpoint: str,
    out: str,
    *,
    role: str = 'old',
    split: str = 'test',
    images: str | None = None,
    labels_from_folders: bool = False,
    skip_broken: bool = False,
    side_checkpoint: str | None = None,
    with_side: bool = True,
    distance: str = 'l2',
    batch_size: int = 256,
    num_workers: int = 0,
    shard_rows: int = 16384,
    shard: str | None = None,
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
        labels_from_folders: Whether the first subfolders of ``images`` are classes, see `GalleryImages`.
        skip_broken: Whether images that cannot be read are left out and listed, see `write_without_broken`; otherwise
            the first one is an error.
        side_checkpoint: See `load_encoder`.
        with_side: See `load_encoder`.
        distance: Distance by which the embeddings are compared.
        batch_size: Images per forward pass.
        num_workers: Worker processes that load images.
        shard_rows: Rows per file.
        shard: ``'3/64'`` for the third of 64 parts, which independent jobs make in folders of their own, such as
            ``OUT.03-of-64``, for `merge_gallery`; ``None`` for the whole.
        device: Where the networks run; ``None`` for the accelerator if there is one, else the CPU.
        launcher: See `init_launcher`.
        cfg_options: Options of the config, see `load_config`.

    Returns:
        The gallery, or the part.

    Raises:
        FileNotFoundError: If the config, a checkpoint or the images are missing.
        ValueError: If an option is out of range, an image cannot be read, an encoder returns NaN, or ``out`` holds
            another gallery.
    """
    check_distance(distance)
    part = None if shard is None else Part.parse(shard)
    init_launcher(launcher)
    config = load_model_config(filename, cfg_options)
    encoder = load_encoder(config, checkpoint, role=role, side_checkpoint=side_checkpoint, with_side=with_side)
    device = device or get_device()
    encoder.encode.to(device)
    data = GalleryImages(
        config, split=split, folder=images, labels_from_folders=labels_from_folders, skip_broken=skip_broken
    )
    with seeded(0):
        first = _first_image(data)
    known = dict(id=data.ids) if data.labels is None else dict(id=data.ids, label=data.labels)
    computed = _encode([first['inputs']], encoder.encode, device)
    rows = partial(_rows, encode=encoder.encode, device=device, like=computed)
    preprocessing = data.preprocessing(first['inputs'])
    side_info = encoder.side_info and encoder.side_info.with_preprocessing(preprocessing)
    provenance = Provenance(encoder.embedding.with_preprocessing(preprocessing), side_info, distance)
    columns: dict[str, tuple[str, int | None]] = {
        **{name: ('float32', values.shape[1]) for name, values in computed.items()},
        **{name: (text_dtype(values) if name == 'id' else 'int64', None) for name, values in known.items()},
    }
    metadata = provenance.to_metadata() | dict(images=data.fingerprint, preprocessing=encoder.preprocessing)
    if data.label_names:
        metadata[LABEL_NAMES] = {str(label): name for label, name in data.label_names.items()}
    chosen, first_shard = slice(0, len(data)), 0
    if part is not None:
        shards = part.shards(len(data), shard_rows)
        chosen = slice(shards.start * shard_rows, min(shards.stop * shard_rows, len(data)))
        first_shard, out = shards.start, str(part.folder(out))
        metadata[PART] = dict(part._asdict(), rows=[chosen.start, chosen.stop], num_rows=len(data))
    size: dict[str, Any] = dict(num_rows=chosen.stop - chosen.start, shard_rows=shard_rows, metadata=metadata)
    fill = partial(
        fill_shards,
        images=data if part is None else Subset(data, range(chosen.start, chosen.stop)),
        columns=rows,
        known={name: values[chosen] for name, values in known.items()},
        batch_size=batch_size,
        num_workers=num_workers,
        first_shard=first_shard,
    )
    seconds, number = 0.0, 0
    if skip_broken:
        write_without_broken(out, columns, fill=fill, **size)
    else:
        writer = GalleryWriter(out, columns=columns, **size)
        seconds, number = fill(writer)
        finish_together(writer)
    gallery = Gallery(out, verify=False)
    if is_main_process():
        side = f' and side-information of {encoder.side_info}' if encoder.side_info else ''
        print_log(
            f'Gallery {out}: {len(gallery)} embeddings of {encoder.embedding}{side}{time_per_item(seconds, number)}',
            'current',
        )
    return gallery


def _first_image(data: GalleryImages) -> dict:
    """Return the first image that can be read."""
    image: dict = {}
    for index in range(len(data)):
        image = data[index]
        if not image.get(ERROR):
            return image
    raise ValueError(f'an image must be readable, got {len(data)} that are not; the last: {image[ERROR]}')


def _rows(batch: dict, encode: ItemEncoder, device: str, like: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute the columns of one batch of images: zeros for those that cannot be read, with an error."""
    if ERROR not in batch:
        return _encode(batch['inputs'], encode, device)
    good = [number for number, error in enumerate(batch[ERROR]) if not error]
    columns = {name: np.zeros((len(batch[ERROR]), values.shape[1]), np.float32) for name, values in like.items()}
    if good:
        for name, values in _encode([batch['inputs'][number] for number in good], encode, device).items():
            columns[name][good] = values
    return columns | {ERROR: np.array(batch[ERROR], object)}


def _encode(images: Sequence[Tensor], encode: ItemEncoder, device: str) -> dict[str, np.ndarray]:
    vectors = encode(torch.stack(list(images)).to(device))._asdict()
    return {name: values.float().cpu().numpy() for name, values in vectors.items() if values is not None}
