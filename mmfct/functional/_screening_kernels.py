"""Compiled loops of the screening ranker. Imported only where they are needed: numba takes a while to load."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

BINS = 8192
# Rows beyond the last cut take turns in more bins: adding to the same counter each time would wait for itself.
SPILL = 16
# Rows per histogram, so that its counters, the second half of an int16 for bins with a cut, do not overflow.
BLOCK = 32767
HAS_CUT = np.int16(-32768)


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
    """Write the distances of the matches into (B, M) and take the matches out of ``products``."""
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
    """Count rows by bin; list those in a bin with a cut in ``close`` and return their number."""
    for j in range(products.size):
        place = _bin(offset[j] + weight[j] * products[j], low, scale)
        bins[j] = np.uint16(place if place < BINS else BINS + (j & (SPILL - 1)))
    number = np.uint32(0)
    for j in range(products.size):
        count = np.int16(histogram[bins[j]] + np.int16(1))
        histogram[bins[j]] = count
        if count < 0:
            close[number] = j
            number += np.uint32(1)
    return number


@jit()
def _search(cuts, start, stop, value):
    """First index in start ... stop whose cut is not below ``value``; mostly it is near the start."""
    step = 1
    while start + step < stop and cuts[start + step] < value:
        start += step
        step *= 2
    stop = min(stop, start + step + 1)
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
    bins = np.empty(BLOCK, np.uint16)
    close = np.empty(BLOCK, np.uint16)
    marks = np.empty(BINS + SPILL, np.int16)
    histogram = np.empty(BINS + SPILL, np.int16)
    first = np.empty(BINS, np.int32)
    span = np.empty((counts.shape[1], 2), np.int32)
    edge = np.empty(2, products.dtype)
    for i in range(products.shape[0]):
        cut = cuts[i]
        size = _search(cut, 0, cut.size, np.inf)
        if size == 0:
            continue
        # The cuts and their errors take up all bins but two at either end, which leaves room for rounding and keeps
        # the bin of all nearer rows free of cuts.
        width = (cut[size - 1] - cut[0] + 4 * error[i]) / (BINS - 4)
        edge[0] = cut[0] - 2 * error[i] - 2 * width
        edge[1] = 1 / width
        low, scale = edge[0], edge[1]

        # Bins in which a row may be on either side of a cut, and the first cut of which this is true.
        marks[:] = 0
        for t in range(size - 1, -1, -1):
            edge[0] = cut[t] - error[i]
            edge[1] = cut[t] + error[i]
            span[t, 0] = _bin(edge[0], low, scale)
            span[t, 1] = _bin(edge[1], low, scale) + 1
            marks[span[t, 0] : span[t, 1]] = HAS_CUT
            first[span[t, 0] : span[t, 1]] = t

        for begin in range(0, products.shape[1], BLOCK):
            part = slice(begin, begin + BLOCK)
            row = products[i, part]
            histogram[:] = marks
            number = _histogram(row, screen[0, part], screen[1, part], low, scale, bins, histogram, close)

            # Rows in the bins between the cuts are on one side of each for certain.
            place = 0
            for t in range(size):
                counts[i, t] += histogram[place : span[t, 0]].sum()
                place = max(place, span[t, 1])

            # The others one by one; by the exact distance where the approximate one does not tell.
            for n in range(number):
                j = begin + close[n]
                distance = screen[0, j] + screen[1, j] * products[i, j]
                t = _search(cut, first[bins[close[n]]], size, distance - error[i])
                if t < size and cut[t] <= distance + error[i]:
                    exact = offset[j] + weight[j] * _dot(query[i], gallery[j])
                    t = _search(cut, t, size, exact)
                if t < size:
                    counts[i, t] += 1

        for t in range(1, size):
            counts[i, t] += counts[i, t - 1]
