"""Compute an embedding table: every view of every image through the frozen encoders."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine import dist

from mmfct.datasets import embedding_table_previous as previous
from mmfct.datasets.image_fingerprint import fingerprint_images
from mmfct.datasets.image_pass import fill_shards, finish_together, seeded
from mmfct.datasets.wrapped_dataset import ready_dataset
from mmfct.registry import MODELS
from mmfct.retrieval import GalleryWriter, is_complete
from mmfct.utils.fingerprint import fingerprint_json, fingerprint_state_dict, plain_json

# Few enough shards that a batch, which opens all of them, stays cheap; enough for several ranks to share.
_SHARD_ROWS = 4096
_MAX_SHARDS = 32


def write_embedding_table(
    path: str | Path,
    dataset: dict,
    encoders: dict,
    *,
    num_views: int,
    batch_size: int,
    num_workers: int,
    seed: int,
    device: str,
) -> tuple[str, ...]:
    """Write the table at ``path`` unless a complete one with the same fingerprint is there.

    Rows are ordered by view, then by image: row ``view * N + image``. In a distributed job each rank computes every
    ``world_size``-th shard; the call returns on all ranks once the table is complete. A table whose encoders have
    changed is set aside as ``<path>.previous`` until the columns of the others are copied from it.

    Args:
        path: Folder to write.
        dataset: Config of the image data set.
        encoders: Config of the `FrozenEncoders`.
        num_views: Views per image.
        batch_size: Images per forward pass.
        num_workers: Worker processes of the data loader.
        seed: Seed of the augmentations; shard k is seeded with ``seed + k``, on whichever rank it is computed.
        device: Where the encoders run.

    Returns:
        Names of the classes, for pictures; empty if the data set does not say them.

    Raises:
        ValueError: If the data set is empty, an encoder returns NaN, a checkpoint does not fit, or the folder holds
            a gallery that is not an embedding table.
        FileNotFoundError: If a checkpoint or the data are missing.
    """
    settings = plain_json(dataset)
    images = ready_dataset(dataset)
    classes = tuple(map(str, getattr(images, 'metainfo', {}).get('classes') or ()))
    if len(images) == 0:
        raise ValueError(f'the data set of the embedding table {str(path)!r} is empty')
    network = MODELS.build({'type': 'mmfct.FrozenEncoders', **copy.deepcopy(encoders)}).to(device)
    metadata = table_metadata(
        images,
        network,
        settings,
        encoders,
        num_views=num_views,
        batch_size=batch_size,
        num_workers=num_workers,
        seed=seed,
    )
    num_rows = num_views * len(images)
    shard_rows = _shard_rows(num_rows)
    if dist.is_main_process():
        previous.set_aside(path, metadata)
    dist.barrier()
    if is_complete(path):
        return classes
    known = previous.reusable_columns(path, metadata)
    missing = [role for role in network.roles if role not in known]
    with seeded(seed):
        first_image = images[0]['inputs'][None].to(device)
    widths = {role: embedding.shape[1] for role, embedding in network(first_image, missing).items()}
    writer = GalleryWriter(
        path,
        columns={
            **{role: ('float32', known[role].width if role in known else widths[role]) for role in network.roles},
            'id': ('int64', None),
            'label': ('int64', None),
        },
        num_rows=num_rows,
        shard_rows=shard_rows,
        metadata=metadata,
    )
    if missing:
        fill_shards(
            writer,
            images,
            partial(embed_batch, network=network, device=device, roles=missing if known else None),
            known=known,
            batch_size=batch_size,
            num_workers=num_workers,
            seed=seed,
        )
    else:  # nothing but columns of the previous table
        rank, world_size = dist.get_dist_info()
        for index, start, stop in writer.pending(rank=rank, world_size=world_size):
            writer.write_shard(index, {name: column[start:stop] for name, column in known.items()})
    finish_together(writer)
    if dist.is_main_process():
        previous.remove(path)
    return classes


def table_metadata(
    images: Any,
    network: Any,
    settings: object,
    encoders: dict,
    *,
    num_views: int,
    batch_size: int,
    num_workers: int,
    seed: int,
) -> dict[str, Any]:
    """Return what identifies a table: fingerprints of all of it (``fingerprint``), its views and its columns.

    Args:
        images: The image data set.
        network: The `FrozenEncoders`.
        settings: Config of the image data set.
        encoders: Config of the `FrozenEncoders`.
        num_views: See `write_embedding_table`, as for the others.
        batch_size: See there.
        num_workers: See there.
        seed: See there.
    """
    settings = plain_json(settings)
    identity = fingerprint_images(map(images.get_data_info, range(len(images))))
    roles = list(network.roles)
    # Workers draw random numbers of their own, so the same views need the same loader.
    loader = [num_workers, batch_size] if num_workers else [0]
    shard_rows = _shard_rows(num_views * len(images))
    return dict(
        fingerprint=fingerprint_json(
            dict(
                dataset=settings,
                images=identity,
                encoders=plain_json({role: _without_checkpoint(encoder) for role, encoder in encoders.items()}),
                weights=fingerprint_state_dict(network.state_dict()),
                num_views=num_views,
                seed=seed,
            )
        ),
        roles=roles,
        num_views=num_views,
        views=fingerprint_json([settings, identity, num_views, seed, shard_rows, loader]),
        columns={role: _fingerprint_encoder(network, encoders, role) for role in roles},
    )


def _shard_rows(num_rows: int) -> int:
    return max(_SHARD_ROWS, -(-num_rows // _MAX_SHARDS))


def embed_batch(
    batch: dict, network: torch.nn.Module, device: str, roles: list[str] | None = None
) -> dict[str, np.ndarray]:
    """Compute the columns of one batch of images.

    Args:
        batch: B images, as ``pseudo_collate`` makes it.
        network: The `FrozenEncoders`.
        device: Where they run.
        roles: Roles to compute; ``None`` for all.

    Returns:
        Embeddings of shape (B, D) by role, ``id`` and ``label`` of shape (B,).
    """
    embeddings = network(torch.stack(batch['inputs']).to(device), roles)
    samples = batch['data_samples']
    return {
        **{role: embedding.float().cpu().numpy() for role, embedding in embeddings.items()},
        'id': np.array([sample.sample_idx for sample in samples], dtype=np.int64),
        'label': np.array([_label(sample) for sample in samples], dtype=np.int64),
    }


def _label(sample: Any) -> int:
    """Return the class of an image, or -1 if it has none: h can be learned from unlabelled images."""
    label = getattr(sample, 'gt_label', None)
    return -1 if label is None else int(label)


def _fingerprint_encoder(network: Any, encoders: dict, role: str) -> str:
    """Fingerprint what determines the column of a role, given the views of the images."""
    shared = encoders['old'] if 'shares' in encoders[role] else None
    settings = [plain_json(_without_checkpoint(encoder)) for encoder in (encoders[role], shared)]
    return fingerprint_json([settings, fingerprint_state_dict(network.encoders[role].state_dict())])


def _without_checkpoint(encoder: object) -> object:
    """Drop the path of the checkpoint: the weights themselves are part of the fingerprint."""
    if not isinstance(encoder, dict):
        return encoder
    return {key: value for key, value in encoder.items() if key != 'checkpoint'}
