"""Columns of a gallery from images."""

from __future__ import annotations

import signal
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from mmfct.apis.gallery_images import GalleryImages
from mmfct.models.frozen_encoders import FrozenEncoders
from mmfct.retrieval.gallery_description import Shard

COLUMN_OF = dict(old='embedding', side='side_info')


def columns_of(network: FrozenEncoders, data: GalleryImages) -> dict[str, tuple[str, int | None]]:
    """Return dtype and width of the columns, from the first image.

    Args:
        network: The encoders.
        data: The images.
    """
    columns: dict[str, tuple[str, int | None]] = {
        COLUMN_OF[role]: ('float32', rows.shape[1]) for role, rows in _embed(network, [data[0]]).items()
    }
    columns['id'] = (f'<U{max(map(len, data.ids))}', None)
    if data.labels is not None:
        columns['label'] = ('int64', None)
    return columns


def compute_rows(
    network: FrozenEncoders,
    data: GalleryImages,
    shard: Shard,
    batch_size: int,
    num_workers: int,
    advance: Callable[[int], None],
) -> dict[str, np.ndarray]:
    """Compute the columns of a shard, every image once.

    Args:
        network: The encoders.
        data: The images.
        shard: Which of them.
        batch_size: Images per forward pass.
        num_workers: Processes that load images.
        advance: Called with the number of images after each batch.

    Raises:
        ValueError: If an image cannot be loaded, images differ in size, or an embedding is not finite.
    """
    _, start, stop = shard
    loader = DataLoader(
        Subset(data, range(start, stop)),
        batch_size,
        num_workers=num_workers,
        collate_fn=list,
        worker_init_fn=_ignore_interrupt,
    )
    parts: dict[str, list[np.ndarray]] = {}
    for images in loader:
        for role, rows in _embed(network, images).items():
            parts.setdefault(COLUMN_OF[role], []).append(rows.float().cpu().numpy())
        advance(len(images))
    columns = {name: np.concatenate(rows) for name, rows in parts.items()}
    columns['id'] = np.array(data.ids[start:stop])
    if data.labels is not None:
        columns['label'] = data.labels[start:stop]
    return columns


def _embed(network: FrozenEncoders, images: list[Tensor]) -> dict[str, Tensor]:
    """Return embeddings (B, D) by role of images (C, H, W) of one size."""
    shapes = sorted({tuple(image.shape) for image in images})
    if len(shapes) > 1:
        raise ValueError(
            f'the pipeline must bring all images to one size, got {shapes[0]} and {shapes[1]}; add a resize and a '
            'crop to the pipeline of the test'
        )
    return network(torch.stack(images).to(next(network.parameters()).device))


def _ignore_interrupt(worker: int) -> None:
    """Leave Ctrl-C, which a terminal sends to every process of a job, to the main process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
