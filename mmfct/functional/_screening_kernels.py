"""Compiled loops of the screening ranker. Imported only where they are needed: numba takes a while to load."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

BINS = 8192
# Rows beyond the last cut share this many bins in turn: adding to one and the same counter would wait for itself.
SPILL = 16
BLOCK = 4096
# A bin whose count is negative is a bin with a cut in it.
HAS_CUT = np.int32(-(2**31))


def jit(**options: object) -> Callable:
    """Compile without the GIL; keep the machine code beside the source where that can be written."""

    def decorate(function: Callable) -> Callable:
        try:
            return numba.njit(nogil=True, cache=True, error_model='numpy', **options)(function)
        except RuntimeError:  # no place to keep it
            return numba.njit(nogil=True, error_model='numpy', **options)(function)

    return decorate


# Any order of the sum will do: the ties' tolerance covers it.
@jit(fastmath={'reassoc', 'contract'})
def _dot(left: np.ndarray, right: np.ndarray) -> float:
    total = 0.0
    for k in range(left.size):
        total += np.float64(left[k]) * np.float64(right[k])
    return total


@jit()
def match_distances(products, query, gallery, offset, weight, start, stop, distances):
    """Write the distances of the matches into (B, M), elsewhere inf, and take the matches out of ``products``."""
    distances[:] = np.inf
    for i in range(products.shape[0]):
        for j in range(start[i], stop[i]):
            if products[i, j] > -np.inf:
                exact = offset[j] + weight[j] * _dot(query[i], gallery[j])
                distances[i, j - start[i]] = exact
                products[i, j] = -np.inf


@jit()
def _bin(distance, low, scale):
    """Bin of a distance. Never decreases as the distance grows, whatever is rounded on the way."""
    place = np.float32((distance - low) * scale)
    place = place if place > np.float32(0) else np.float32(0)
    return np.int32(place if place < np.float32(BINS) else np.float32(BINS))


@jit()
def _histogram(products, offset, weight, low, scale, bins, histogram, close):
    """Count the rows of one query by bin; list those in a bin with a cut in ``close`` and return their number."""
    number = np.uint32(0)
    for begin in range(0, products.size, BLOCK):
        part = slice(begin, begin + BLOCK)
        p, o, w = products[part], offset[part], weight[part]
        for j in range(p.size):
            place = _bin(o[j] + w[j] * p[j], low, scale)
            bins[j] = np.uint32(place if place < BINS else BINS + (j & (SPILL - 1)))
        for j in range(p.size):
            count = histogram[bins[j]] + np.int32(1)
            histogram[bins[j]] = count
            if count < 0:
                close[number] = begin + j
                number += np.uint32(1)
    return number


@jit()
def _search(cuts, start, stop, value):
    """First index in start ... stop whose cut is not below ``value``."""
    while start < stop:
        middle = (start + stop) // 2
        if cuts[middle] < value:
            start = middle + 1
        else:
            stop = middle
    return start


@jit()
def count(products, query, gallery, offset, weight, screen, cuts, error, counts):
    """Write the number of rows at or below each cut into ``counts`` of shape (B, T).

    Args:
        products: Approximate products of shape (B, G); -inf for a row that does not count.
        query: Rows of shape (B, D).
        gallery: Rows of shape (G, D).
        offset: Term of the exact distance, shape (G,).
        weight: Factor of the exact distance, shape (G,).
        screen: Both in the type of the products, shape (2, G).
        cuts: Ascending, padded with inf, shape (B, T).
        error: Bound of the difference between approximate and exact distances, shape (B,).
        counts: The result; zeros on entry.
    """
    bins = np.empty(BLOCK, np.uint32)
    histogram = np.empty(BINS + SPILL, np.int32)
    bin_start = np.empty(BINS, np.int64)
    bin_stop = np.empty(BINS, np.int64)
    close = np.empty(products.shape[1], np.uint32)
    edge = np.empty(2, products.dtype)
    for i in range(products.shape[0]):
        size = _search(cuts[i], 0, cuts.shape[1], np.inf)
        if size == 0:
            continue
        # The cuts and their errors take up all bins but two, which leave room for rounding.
        edge[0] = cuts[i, 0] - 2 * error[i]
        edge[1] = (BINS - 2) / (cuts[i, size - 1] - cuts[i, 0] + 4 * error[i])
        low, scale = edge[0], edge[1]

        # 1. Bins in which a row may be on either side of a cut, and the cuts this may be.
        histogram[:] = 0
        for t in range(size):
            edge[0] = cuts[i, t] - error[i]
            edge[1] = cuts[i, t] + error[i]
            for place in range(_bin(edge[0], low, scale), _bin(edge[1], low, scale) + 1):
                if histogram[place] == 0:
                    histogram[place] = HAS_CUT
                    bin_start[place] = t
                bin_stop[place] = t + 1

        # 2. All rows by bin; those in other bins are on one side of each cut for certain.
        number = _histogram(products[i], screen[0], screen[1], low, scale, bins, histogram, close)
        place = 0
        for t in range(size):
            edge[0] = cuts[i, t] - error[i]
            edge[1] = cuts[i, t] + error[i]
            counts[i, t] += histogram[place : _bin(edge[0], low, scale)].sum()
            place = max(place, _bin(edge[1], low, scale) + 1)

        # 3. The rows in bins with cuts, one by one; the exact distance only where the approximate one does not tell.
        for n in range(number):
            j = close[n]
            distance = screen[0, j] + screen[1, j] * products[i, j]
            place = _bin(distance, low, scale)
            stop = bin_stop[place]
            t = _search(cuts[i], bin_start[place], stop, distance - error[i])
            if t < stop and cuts[i, t] <= distance + error[i]:
                exact = offset[j] + weight[j] * _dot(query[i], gallery[j])
                t = _search(cuts[i], t, stop, exact)
            if t < size:
                counts[i, t] += 1

        for t in range(1, size):
            counts[i, t] += counts[i, t - 1]
