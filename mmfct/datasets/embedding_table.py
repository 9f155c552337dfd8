"""Precomputed embeddings as a data set."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.dataset import force_full_init
from mmengine.device import get_device
from torch import Tensor
from torch.utils.data import Dataset

from mmfct.datasets.embedding_table_writer import write_embedding_table
from mmfct.registry import DATASETS
from mmfct.retrieval import Gallery


@DATASETS.register_module()
class EmbeddingTable(Dataset):
    """Cached embeddings of a few augmented views of every image, so that h trains in minutes without images.

    Constructing a table neither reads nor computes anything. :meth:`full_init`, which mmengine calls when it builds
    the data loader, computes a table that is missing and opens it. The table is stored in the gallery format, columns
    named by role. Its fingerprint covers weights, images and settings (see `fingerprint_images`): a table that was
    made from others is computed again, except for the columns of encoders that are the same. Images without labels
    have the label -1.

    An epoch visits every image once and draws one of its views at random, as an epoch over images does.

    Args:
        path: Folder of the table.
        dataset: Config of the image data set with its augmenting pipeline.
        encoders: Config of the `FrozenEncoders`.
        num_views: Augmented views of every image; 1 with a test pipeline for evaluation.
        batch_size: Images per forward pass of the encoders.
        num_workers: Worker processes that load images while the table is computed.
        seed: Seed of the augmentations.

    Attributes:
        gallery: The table, after :meth:`full_init`.
        metainfo: Names of the classes, after :meth:`full_init`, where the image data set knows them.
        roles: Names of its encoders, after :meth:`full_init`.

    Raises:
        ValueError: If ``num_views`` is not positive.
    """

    gallery: Gallery
    roles: tuple[str, ...]

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
        self.metainfo: dict = {}
        self._dataset, self._encoders = copy.deepcopy((dataset, encoders))
        self._options = dict(batch_size=batch_size, num_workers=num_workers, seed=seed)
        self._fully_initialized = False

    def full_init(self) -> None:
        """Open the table; compute it first if it is missing or stale.

        Every rank of a distributed job must call this; each computes a share. An interrupted computation continues
        where it stopped.

        Raises:
            ValueError: See `write_embedding_table`; or if a file of the table is damaged.
            FileNotFoundError: See there; or if a file of the table is missing.
        """
        if self._fully_initialized:
            return
        classes = write_embedding_table(
            self.path,
            self._dataset,
            self._encoders,
            num_views=self.num_views,
            device=get_device(),
            **self._options,
        )
        if classes:
            self.metainfo['classes'] = classes
        self.gallery = Gallery(self.path)
        self.roles = tuple(self.gallery.metadata['roles'])
        self._fully_initialized = True

    @force_full_init
    def __len__(self) -> int:
        """Return the number of images; views are not counted."""
        return len(self.gallery) // self.num_views

    def __getitem__(self, index: int) -> dict:
        """Return ``inputs`` (role -> (D,)) and ``data_samples`` (``gt_label``, ``sample_idx``) of one image."""
        batch = self.__getitems__([index])
        return {part: {name: value[0] for name, value in columns.items()} for part, columns in batch.items()}

    @force_full_init
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
