"""A ranker for large problems on the CPU that costs less than the matrix products themselves.

Sorting takes many times as long as the products, and counting with torch writes a matrix for each
cut. So the loops are compiled (numba): they sort the products of a query into bins, in a table
that the cache holds.

The products are float32. Rows that this leaves in doubt, because they are within the error bound
of a cut, are looked at again in float64. So the counts are those of the float64 distances.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from mmfct.functional._layout import Layout, rounding_error

# Sorting fewer pairs than this takes less time than loading (or compiling) the loops.
MIN_PAIRS = 20_000_000


@functools.cache
def load_kernels() -> ModuleType | None:
    """Import the compiled loops; None where numba is not installed."""
    try:
        from mmfct.functional import _screening_kernels
    except ImportError:
        return None
    return _screening_kernels


def screening_applies(layout: Layout) -> bool:
    """Whether the problem is large and on the CPU, and numba is installed."""
    pairs = len(layout.query) * len(layout.gallery)
    return pairs >= MIN_PAIRS and not layout.query.is_cuda and load_kernels() is not None


class ScreeningRanker:
    """Ranks by counting the rows at or below each match; see :class:`~._ranking.Ranker`."""

    def __init__(self, layout: Layout) -> None:
        kernels = load_kernels()
        assert kernels is not None
        dtype = torch.float32 if layout.fits_float32 else torch.float64
        error = rounding_error(dtype, layout.query.shape[1], layout.reach)
        error += rounding_error(dtype, 0, layout.offset.max()) + layout.tolerance
        self.kernels = kernels
        self.layout = layout
        self.threads = torch.get_num_threads()
        # In chunks much smaller than this, the products get slower.
        self.rows_per_chunk = layout.rows_in(40_000_000, bytes_per_pair=dtype.itemsize)
        self.local = threading.local()
        self.query = layout.query.to(dtype).numpy()
        self.gallery = layout.gallery.to(dtype).numpy()
        self.terms = layout.offset.numpy(), layout.weight.numpy()
        self.screen = torch.stack([layout.offset, layout.weight]).to(dtype).numpy()
        # The least value covers what underflows.
        self.error = error.clamp(min=1e-30).numpy()

    def map(self, function: Callable[[slice], None], chunks: list[slice]) -> None:
        """Call the function for each chunk, in threads."""
        from threadpoolctl import threadpool_limits

        # Threads of BLAS wait for one another, and go on spinning while others count.
        limit = threadpool_limits(1, user_api='blas')
        with limit, ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(function, chunks))  # the list raises what a thread raised

    def products(self, rows: slice) -> Tensor:
        """Products with the gallery, (B, G), in memory that the next call of the thread reuses."""
        query = self.query[rows]
        buffer = getattr(self.local, 'buffer', None)
        if buffer is None or len(buffer) < len(query):
            buffer = np.empty((len(query), len(self.gallery)), self.gallery.dtype)
            self.local.buffer = buffer
        # Not by torch: under autocast or a lower matmul precision the error bound would not hold.
        return torch.from_numpy(np.matmul(query, self.gallery.T, out=buffer[: len(query)]))

    def match_distances(self, products: Tensor, rows: slice) -> Tensor:
        """Sorted distances of the matches, (B, M)."""
        start, stop = self.layout.start[rows].numpy(), self.layout.stop[rows].numpy()
        distances = np.full((len(start), max((stop - start).max(), 1)), np.inf)
        self.kernels.match_distances(
            products.numpy(),
            self.query[rows],
            self.gallery,
            *self.terms,
            start,
            stop,
            distances,
        )
        distances.sort(axis=1)
        return torch.from_numpy(distances)

    def count(self, products: Tensor, rows: slice, cuts: Tensor) -> Tensor:
        """Number of rows left at or below each cut, (B, T)."""
        counts = np.zeros(cuts.shape, np.int64)
        self.kernels.count(
            products.numpy(),
            self.query[rows],
            self.gallery,
            *self.terms,
            self.screen,
            cuts.numpy(),
            self.error[rows],
            counts,
        )
        return torch.from_numpy(counts)
