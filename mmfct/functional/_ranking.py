"""What CMC and average precision need to know of a ranking, and the plain torch way to find it.

A query needs the distances of its own matches and, at each of these, the number of other rows that
are as near; the order of the others does not matter.

Distances are float64 values of ``offset + weight * product``. Two that differ by no more than a
bound of what rounding can do to them are tied. So equal rows tie however BLAS rounds their
products, which depends on the place of a row in the matrix and on the size of the matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from .distance import ranking_terms


class Layout(NamedTuple):
    """A retrieval problem with the rows sorted by label: the matches of a query are neighbours.

    Attributes:
        query: Embeddings of shape (Q, D).
        gallery: Embeddings of shape (G, D).
        start: First match of each query in the gallery, shape (Q,).
        stop: One past its last match, shape (Q,).
        offset: Term of the distance, float64 of shape (G,).
        weight: Factor of the product in the distance, negative, float64 of shape (G,).
        reach: Bound of ``|weight * product|``, float64 of shape (Q,).
        tolerance: Largest difference between tied distances, float64 of shape (Q,).
        fits_float32: Whether float32 holds the rows exactly, and their products without overflow.
    """

    query: Tensor
    gallery: Tensor
    start: Tensor
    stop: Tensor
    offset: Tensor
    weight: Tensor
    reach: Tensor
    tolerance: Tensor
    fits_float32: bool

    @classmethod
    def build(
        cls,
        query: Tensor,
        query_labels: Tensor,
        query_norms: Tensor,
        gallery: Tensor,
        gallery_labels: Tensor,
        gallery_norms: Tensor,
        distance: str,
    ) -> Layout:
        """Lay out rows that are sorted by label; the norms are float64."""
        offset, weight = ranking_terms(gallery_norms, distance)
        reach = query_norms * (weight.abs() * gallery_norms).max()
        error = rounding_error(torch.float64, query.shape[1], reach + offset.max())
        norms = torch.cat([query_norms, gallery_norms])
        in_range = (norms == 0) | (norms > 1e-12) & (norms < 1e12)
        is_double = torch.float64 in (query.dtype, gallery.dtype)
        return cls(
            query=query,
            gallery=gallery,
            start=torch.searchsorted(gallery_labels, query_labels),
            stop=torch.searchsorted(gallery_labels, query_labels, right=True),
            offset=offset,
            weight=weight,
            reach=reach,
            # Above zero where all rows are zero, so that equal distances are within it.
            tolerance=(2 * error).clamp(min=torch.finfo(torch.float64).tiny),
            fits_float32=not is_double and bool(in_range.all()),
        )

    def rows_in(self, size: int, bytes_per_pair: int) -> int:
        """Number of queries, at least 1, whose pairs and matches fit into ``size`` bytes."""
        matches = int((self.stop - self.start).max())
        # About ten arrays of the matches are in use at once.
        return max(size // (bytes_per_pair * len(self.gallery) + 80 * matches), 1)


class OwnRows:
    """The gallery rows to leave out: those with the id of the query.

    Args:
        query_ids: Integers of shape (Q,), in the order of the layout.
        gallery_ids: Integers of shape (G,), in the order of the layout.
    """

    def __init__(self, query_ids: Tensor, gallery_ids: Tensor) -> None:
        gallery_ids, self.order = gallery_ids.sort()
        self.start = torch.searchsorted(gallery_ids, query_ids)
        self.stop = torch.searchsorted(gallery_ids, query_ids, right=True)

    def pairs(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Row in the chunk and row in the gallery of each pair to leave out."""
        place, inside = _padded_ranges(self.start[rows], self.stop[rows])
        return inside.nonzero(as_tuple=True)[0], self.order[place[inside]]


class Ranks(NamedTuple):
    """What is kept of the rankings of B queries; each float64 of shape (B,).

    Attributes:
        average_precision: NaN without matches.
        matches: Number of matches.
        nearer: Number of rows nearer than the nearest match.
        tied: Number of rows as near as the nearest match, itself included.
        tied_matches: Number of matches among these.
    """

    average_precision: Tensor
    matches: Tensor
    nearer: Tensor
    tied: Tensor
    tied_matches: Tensor

    def cmc(self, topk: Sequence[int]) -> Tensor:
        """Probability of a match among the k nearest, with ties in random order, (B, K).

        The places of the tied rows are drawn one after the other, without replacement.
        """
        others = self.tied - self.tied_matches
        miss = torch.ones_like(self.average_precision)
        hit_at = {}
        for k in range(1, max(topk) + 1):
            drawn = k - 1 - self.nearer
            left = (others - drawn).clamp(min=0) / (self.tied - drawn)
            miss = torch.where((drawn >= 0) & (drawn < self.tied), miss * left, miss)
            if k in topk:
                hit_at[k] = 1 - miss
        cmc = torch.stack([hit_at[k] for k in topk], dim=1)
        return cmc.masked_fill_(self.matches[:, None] == 0, torch.nan)


class Ranker(Protocol):
    """Finds the distances of the matches and counts the other rows, a chunk of queries at a time.

    Attributes:
        layout: The problem.
        threads: Number of chunks that are worked on at once.
        rows_per_chunk: Number of queries in a chunk where the caller does not say.
    """

    layout: Layout
    threads: int
    rows_per_chunk: int

    def map(self, function: Callable[[slice], None], chunks: list[slice]) -> None:
        """Call the function for each chunk."""

    def products(self, rows: slice) -> Tensor:
        """Products with the gallery, (B, G); setting one to -inf leaves the row out."""

    def match_distances(self, products: Tensor, rows: slice) -> Tensor:
        """Sorted distances of the matches, (B, M), padded with inf; takes them out of the rows."""

    def count(self, products: Tensor, rows: slice, cuts: Tensor) -> Tensor:
        """Number of rows left at or below each of the ascending cuts, (B, T)."""


class SortingRanker:
    """Ranks by sorting the float64 distances; plain torch, CPU or CUDA."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.threads = 1
        self.rows_per_chunk = layout.rows_in(160_000_000, bytes_per_pair=40)
        self.gallery = layout.gallery.double()

    def map(self, function: Callable[[slice], None], chunks: list[slice]) -> None:
        """Call the function for each chunk."""
        for rows in chunks:
            function(rows)

    def products(self, rows: slice) -> Tensor:
        """Products with the gallery, (B, G)."""
        return self.layout.query[rows].double() @ self.gallery.T

    def match_distances(self, products: Tensor, rows: slice) -> Tensor:
        """Sorted distances of the matches, (B, M); the products become distances."""
        distances = products.mul_(self.layout.weight).add_(self.layout.offset)
        start, stop = self.layout.start[rows], self.layout.stop[rows]
        column, inside = _padded_ranges(start, stop)  # (B, M)
        matches = distances.gather(1, column.clamp(max=len(self.gallery) - 1))
        matches.masked_fill_(~inside, torch.inf)
        column = torch.arange(len(self.gallery), device=distances.device)
        is_match = (column >= start[:, None]) & (column < stop[:, None])  # (B, G)
        distances.masked_fill_(is_match, torch.inf)
        return matches.sort(dim=1).values

    def count(self, products: Tensor, rows: slice, cuts: Tensor) -> Tensor:
        """Number of rows left at or below each cut, (B, T)."""
        return torch.searchsorted(products.sort(dim=1).values, cuts, right=True)


def rank(ranker: Ranker, rows: slice, own_rows: OwnRows | None) -> Ranks:
    """Rank the gallery for a chunk of queries."""
    products = ranker.products(rows)
    if own_rows is not None:
        products[own_rows.pairs(rows)] = -torch.inf
    matches = ranker.match_distances(products, rows)  # (B, M)
    tolerance = ranker.layout.tolerance[rows, None]

    # Tied matches form a group: each has the cut, and the number of matches, at the group's end.
    position = torch.arange(matches.shape[1], device=matches.device)
    ends = torch.nn.functional.pad(matches.diff(dim=1) > tolerance, (0, 1), value=True)
    end = torch.where(ends, position, len(position)).flip(1).cummin(1).values.flip(1)
    cuts = torch.cat([matches[:, :1] - tolerance, matches.gather(1, end) + tolerance], dim=1)
    hits = (end + 1).double()  # (B, M)
    misses = ranker.count(products, rows, cuts).double()  # (B, 1 + M)

    found = matches.isfinite()
    number = found.sum(1).double()
    precision = torch.where(found, hits / (hits + misses[:, 1:]), 0)
    return Ranks(
        average_precision=precision.sum(1) / number,
        matches=number,
        nearer=misses[:, 0],
        tied=hits[:, 0] + misses[:, 1] - misses[:, 0],
        tied_matches=hits[:, 0],
    )


def rounding_error(dtype: torch.dtype, terms: int, size: Tensor) -> Tensor:
    """Bound the error of a sum of ``terms`` products, in any order.

    Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1, with four more
    roundings for what is done to the sum, and 2 % for terms of second order (enough for 10^5
    products in float32).

    Args:
        dtype: Type of the arithmetic.
        terms: Number of products.
        size: Bound of the sum of their absolute values.
    """
    return 1.02 * torch.finfo(dtype).eps / 2 * (terms + 4) * size


def _padded_ranges(start: Tensor, stop: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of start, start + 1, ... of one length (at least 1), and which are below ``stop``."""
    longest = max(int((stop - start).max()), 1)
    place = start[:, None] + torch.arange(longest, device=start.device)
    return place, place < stop[:, None]
