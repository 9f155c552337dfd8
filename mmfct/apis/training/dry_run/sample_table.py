"""A table of embeddings of a few images, in memory."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.dist import get_world_size

from mmfct.apis.training.dry_run.seconds import per_batch
from mmfct.datasets.embedding_table import EmbeddingTable
from mmfct.datasets.embedding_table_writer import embed_batch, table_metadata
from mmfct.datasets.image_pass import seeded
from mmfct.datasets.wrapped_dataset import ready_dataset
from mmfct.registry import MODELS
from mmfct.retrieval import Gallery, is_complete

_ON_CPU = 32  # images; elsewhere a batch, for the peak of memory


@dataclass(frozen=True)
class TableCost:
    """What a table of embeddings costs.

    Args:
        rows: Embeddings of every role.
        widths: Widths of the embeddings by role.
        seconds: Seconds to compute it.
        exists: Whether it is there already, and costs nothing.
    """

    rows: int
    widths: dict[str, int]
    seconds: float
    exists: bool

    def __str__(self) -> str:
        if self.exists:
            return f'{self.rows:,} embeddings are there'
        return f'{self.rows:,} embeddings to compute, {self.size / 1e9:.3g} GB in {self.seconds / 3600:.2g} h'

    @property
    def size(self) -> int:
        """Bytes to be written: float32 embeddings, ids and labels."""
        return 0 if self.exists else self.rows * (4 * sum(self.widths.values()) + 16)

    @property
    def gallery_row(self) -> int:
        """Bytes of an item in a gallery: its embedding and its side-information."""
        return 4 * sum(self.widths.get(role, 0) for role in ('old', 'side'))


class SampleTable(EmbeddingTable):
    """An `EmbeddingTable` that is as long as the real one, but computes a few images only and writes nothing.

    A complete table that fits the encoders and images is read instead.

    Attributes:
        cost: What the real table costs, after :meth:`full_init`.
    """

    cost: TableCost

    def full_init(self) -> None:
        """Embed a few images: the first, the last, and others in between.

        Raises:
            ValueError: If the data set is empty, a checkpoint does not fit, or an encoder returns NaN.
            FileNotFoundError: If a checkpoint or the data are missing.
        """
        if self._fully_initialized:
            return
        images = ready_dataset(self._dataset)
        number = len(images)
        if number == 0:
            raise ValueError(f'the data set of the embedding table {self.path!r} is empty')
        self.metainfo['classes'] = tuple(map(str, getattr(images, 'metainfo', {}).get('classes') or ()))
        device = get_device()
        network = MODELS.build({'type': 'mmfct.FrozenEncoders', **copy.deepcopy(self._encoders)}).to(device)
        self.roles = network.roles
        if is_complete(self.path):
            gallery = Gallery(self.path)
            wanted = table_metadata(
                images, network, self._dataset, self._encoders, num_views=self.num_views, **self._options
            )
            if gallery.metadata.get('fingerprint') == wanted['fingerprint']:
                widths = {role: int(gallery.width(role) or 0) for role in self.roles}
                self.gallery, self.cost = gallery, TableCost(len(gallery), widths, 0.0, exists=True)
                self._fully_initialized = True
                return
        batch_size, workers = self._options['batch_size'], self._options['num_workers']
        picked = _first_and_spread(number, _ON_CPU if device == 'cpu' else batch_size)
        with seeded(self._options['seed']):
            embed_batch(pseudo_collate([images[0]]), network, device)  # warms up
            started = time.perf_counter()
            batch = pseudo_collate([images[index] for index in picked])
            loaded = time.perf_counter()
            columns = embed_batch(batch, network, device)
            embedded = time.perf_counter()
        rows = self.num_views * number
        seconds = per_batch(embedded - loaded, loaded - started, workers) / len(picked)
        widths = {role: columns[role].shape[1] for role in self.roles}
        self.cost = TableCost(rows, widths, seconds * rows / get_world_size(), exists=False)
        self.gallery = cast(Any, _SampledRows(columns, picked, rows, number))
        self._fully_initialized = True


class _SampledRows:
    """The rows of a table of which a few images are known; any other image is taken for the known one before it."""

    def __init__(self, columns: Mapping[str, np.ndarray], picked: np.ndarray, rows: int, images: int) -> None:
        self._columns, self._picked, self._rows, self._images = columns, picked, rows, images

    def __len__(self) -> int:
        return self._rows

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        images = indices % self._images
        if name == 'id':  # different for every image, as metrics demand
            return images
        return self._columns[name][np.searchsorted(self._picked, images, side='right') - 1]


def _first_and_spread(number: int, count: int) -> np.ndarray:
    """Return at most ``count`` of ``number`` positions: the first ones, which are often of one class, and others."""
    spread = np.linspace(0, number - 1, min(number, count // 2), dtype=np.int64)
    return np.unique(np.concatenate([np.arange(min(number, count - count // 2)), spread]))
