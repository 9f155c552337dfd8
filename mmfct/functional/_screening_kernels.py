"""Compiled loops of the screening ranker. Imported only where needed: numba takes a while to load.

The histogram of a query has a bin for every short interval of distances. Rows in a bin without a
cut are on one side of each cut; they are counted by the bin. Only rows that share a bin with a
cut are looked at one by one, and of these only some are so close that the error of their distance
matters. Loops rather than array expressions where these would take seconds to compile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

BINS = 8192
# Rows beyond the last cut take turns in these: adding to one counter each time would wait for it.
SPILL = 16
# Rows per histogram. A bin with a cut starts at the least int16, and must stay negative.
BLOCK = 32767
HAS_CUT = np.int16(-32768)


def jit(**options: Any) -> Callable:
    """Compile to run without the GIL; keep the machine code in a cache folder if there is one."""

    def decorate(function: Callable) -> Callable:
        try:
            return numba.njit(nogil=True, error_model='numpy', cache=True, **options)(function)
        except RuntimeError:  # No folder can be written.
            return numba.njit(nogil=True, error_model='numpy', **options)(function)

    return decorate


# Any order of the sum will do: the tolerance of ties covers it.
@jit(fastmath={'reassoc', 'contract'})
def _dot(left, right):
    total = 0.0
    for k in range(left.size):
        total += np.float64(left[k]) * np.float64(right[k])
    return total


@jit()
def match_distances(products, query, gallery, offset, weight, start, stop, distances):
    """Write the distances of the matches into (B, M) and take the matches out of the products."""
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
def _fill_histogram(products, offset, weight, low, scale, marks, histogram, bins, close):
    """Count rows by bin, on ``marks``; list those in a bin with a cut and return their number."""
    for b in range(marks.size):
        histogram[b] = marks[b]
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
    """First index in start ... stop whose cut is not below the value; mostly near the start."""
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
        products: Approximate products of shape (B, G); -inf for a row that is left out.
        query: Rows of shape (B, D).
        gallery: Rows of shape (G, D).
        offset: Term of the distance, float64 of shape (G,).
        weight: Factor of the distance, float64 of shape (G,).
        screen: Both in the type of the products, shape (2, G).
        cuts: Ascending, padded with inf, float64 of shape (B, T).
        error: Bound of the errors of the approximate distances, float64 of shape (B,).
        counts: Zeros of shape (B, T).
    """
    bins = np.empty(BLOCK, np.uint16)
    close = np.empty(BLOCK, np.uint16)
    histogram = np.empty(BINS + SPILL, np.int16)
    marks = np.zeros(BINS + SPILL, np.int16)
    first = np.empty(BINS, np.int32)
    span = np.empty((cuts.shape[1], 2), np.int32)
    edge = np.empty(2, products.dtype)
    for i in range(products.shape[0]):
        cut = cuts[i]
        size = _search(cut, 0, cut.size, np.inf)
        if size == 0:
            continue
        # The cuts and their errors take up all bins but two at either end. This leaves room for
        # rounding, and keeps the bin of all the nearer rows free of cuts.
        width = (cut[size - 1] - cut[0] + 4 * error[i]) / (BINS - 4)
        edge[0] = cut[0] - 2 * error[i] - 2 * width
        edge[1] = 1 / width
        low, scale = edge[0], edge[1]

        # Bins of rows that may be on either side of a cut, and the first cut for which they may.
        for t in range(size - 1, -1, -1):
            edge[0] = cut[t] - error[i]
            edge[1] = cut[t] + error[i]
            span[t, 0] = _bin(edge[0], low, scale)
            span[t, 1] = _bin(edge[1], low, scale) + 1
            marks[span[t, 0] : span[t, 1]] = HAS_CUT
            first[span[t, 0] : span[t, 1]] = t

        for begin in range(0, products.shape[1], BLOCK):
            end = begin + BLOCK
            number = _fill_histogram(
                products[i, begin:end],
                screen[0, begin:end],
                screen[1, begin:end],
                low,
                scale,
                marks,
                histogram,
                bins,
                close,
            )
            place = 0
            for t in range(size):
                counts[i, t] += histogram[place : span[t, 0]].sum()
                place = max(place, span[t, 1])
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
        for t in range(size):
            marks[span[t, 0] : span[t, 1]] = 0
