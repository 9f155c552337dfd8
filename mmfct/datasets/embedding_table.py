"""Embeddings that were computed once, as a data set."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.device import get_device
from torch import Tensor
from torch.utils.data import Dataset

from mmfct.datasets.embedding_table_writer import write_embedding_table
from mmfct.registry import DATASETS
from mmfct.retrieval import Gallery


@DATASETS.register_module()
class EmbeddingTable(Dataset):
    """Cached embeddings of a few augmented views of every image, so that h trains in minutes without images.

    The first use computes the table with the frozen encoders (all ranks take a share; an interrupted run goes on
    where it stopped) and stores it in the gallery format, columns named by role. A table that was made from other
    weights, images or settings is noticed by its fingerprint (see `fingerprint_images`) and made anew. Images without
    labels have the label -1.

    An epoch visits every image once and draws one of its views at random, as an epoch over images does.

    Args:
        path: Folder of the table.
        dataset: Config of the image data set with its augmenting pipeline.
        encoders: Config of the `FrozenEncoders`.
        num_views: Augmented views of every image; 1 with a test pipeline for evaluation.
        batch_size: Images that go through the encoders at once.
        num_workers: Worker processes that load images while the table is made.
        seed: Seed of the augmentations.

    Raises:
        ValueError: If ``num_views`` is not positive.
    """

    def __init__(
        self,
        path: str,
        dataset: dict,
        encoders: dict,
        *,
        num_views: int = 8,
        batch_size: int = 256,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        if num_views < 1:
            raise ValueError(f'`num_views` must be a positive integer, got {num_views!r}')
        self.path = path
        self.num_views = num_views
        write_embedding_table(
            path,
            copy.deepcopy(dataset),
            copy.deepcopy(encoders),
            num_views=num_views,
            batch_size=batch_size,
            num_workers=num_workers,
            seed=seed,
            device=get_device(),
        )
        self.gallery = Gallery(path)
        self.roles = tuple(self.gallery.metadata['roles'])
        self.metainfo: dict = {}

    def __len__(self) -> int:
        """Return the number of images; views are not counted."""
        return len(self.gallery) // self.num_views

    def __getitem__(self, index: int) -> dict:
        """Return ``inputs`` (role -> (D,)) and ``data_samples`` (``gt_label``, ``sample_idx``) of one image."""
        batch = self.__getitems__([index])
        return {part: {name: value[0] for name, value in columns.items()} for part, columns in batch.items()}

    def __getitems__(self, indices: Sequence[int]) -> dict[str, dict[str, Tensor]]:
        """Return a whole batch at once: ``inputs`` (role -> (B, D)) and ``data_samples`` (name -> (B,))."""
        images = np.asarray(indices, dtype=np.int64)
        views = np.random.randint(self.num_views, size=len(images)) if self.num_views > 1 else 0
        rows = views * len(self) + images
        inputs = {role: torch.from_numpy(self.gallery.rows(role, rows)) for role in self.roles}
        samples = {
            'gt_label': torch.from_numpy(self.gallery.rows('label', rows)),
            'sample_idx': torch.from_numpy(self.gallery.rows('id', rows)),
        }
        return dict(inputs=inputs, data_samples=samples)
