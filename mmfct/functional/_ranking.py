"""What CMC and average precision need to know of a ranking, and the plain torch way to find it.

A query needs the distances of its own matches and, at each of these, the number of other rows that are as near: no
order among the others. A *ranker* finds both, a chunk of queries at a time:

    products(rows)                   (B, G) products of the queries with the gallery; -inf takes a row out
    match_distances(products, rows)  (B, M) sorted, padded with inf; takes the matches out of the products
    count(products, rows, cuts)      (B, T) rows left whose distance is at most the cut; cuts ascend

Distances are float64 values of ``offset + weight * product``. Two that differ by no more than `tolerance`, a bound
of their rounding errors, are a tie. So equal rows tie whatever way BLAS takes to round their products, and no
result depends on the order of the rows, the chunks, the threads or the device.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .distance import ranking_terms


class Layout(NamedTuple):
    """A retrieval problem with query and gallery rows sorted by label, so that matches are contiguous.

    Attributes:
        query: Embeddings of shape (Q, D).
        gallery: Embeddings of shape (G, D).
        start: First match of each query, shape (Q,).
        stop: One past its last match, shape (Q,).
        offset: Term of the distance, float64 of shape (G,).
        weight: Factor of the product in the distance, negative, float64 of shape (G,).
        reach: Largest value of ``weight * product``, float64 of shape (Q,).
        tolerance: Largest difference of two distances that are tied, float64 of shape (Q,).
    """

    query: Tensor
    gallery: Tensor
    start: Tensor
    stop: Tensor
    offset: Tensor
    weight: Tensor
    reach: Tensor
    tolerance: Tensor

    @classmethod
    def build(
        cls,
        query: Tensor,
        gallery: Tensor,
        query_labels: Tensor,
        gallery_labels: Tensor,
        query_norms: Tensor,
        gallery_norms: Tensor,
        distance: str,
    ) -> Layout:
        """Lay out rows that are sorted by label already; arguments as the attributes, norms as float64."""
        offset, weight = ranking_terms(gallery_norms, distance)
        reach = query_norms * (weight.abs() * gallery_norms).max()
        # Each of two evaluations may be off by this much: a sum of D products, its factor, and the offset.
        error = rounding(torch.float64, query.shape[1], reach + offset.max())
        return cls(
            query=query,
            gallery=gallery,
            start=torch.searchsorted(gallery_labels, query_labels),
            stop=torch.searchsorted(gallery_labels, query_labels, right=True),
            offset=offset,
            weight=weight,
            reach=reach,
            tolerance=2 * error,
        )


class Ranks(NamedTuple):
    """What is left of the rankings of B queries, each float64 of shape (B,).

    Attributes:
        average_precision: NaN for a query without matches.
        nearer: Rows nearer than the nearest match.
        tied: Rows as near as the nearest match, itself included.
        tied_matches: Matches among these.
    """

    average_precision: Tensor
    nearer: Tensor
    tied: Tensor
    tied_matches: Tensor


def rounding(dtype: torch.dtype, terms: int, size: float | Tensor) -> float | Tensor:
    """Bound the error of a sum of ``terms`` products, whose absolute sum is at most ``size``, in any order.

    Higham, Accuracy and Stability of Numerical Algorithms, eq. 3.5; 4 more roundings for what is done to the sum, and
    2 % for terms of second order (up to 10^5 terms in float32).
    """
    return 1.02 * torch.finfo(dtype).eps / 2 * (terms + 4) * size


class SortingRanker:
    """Ranks by sorting the float64 distances; runs on any device."""

    # Pairs of rows in memory at once, about 40 bytes each.
    pairs_per_chunk = 4_000_000

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.gallery = layout.gallery.double()

    def products(self, rows: slice) -> Tensor:
        """Products of shape (B, G)."""
        return self.layout.query[rows].double() @ self.gallery.T

    def match_distances(self, products: Tensor, rows: slice) -> Tensor:
        """Sorted distances of the matches, (B, M); ``products`` become the distances of the other rows."""
        distances = products.mul_(self.layout.weight).add_(self.layout.offset)
        start, stop = self.layout.start[rows, None], self.layout.stop[rows, None]
        most = max(int((stop - start).max()), 1)
        column = start + torch.arange(most, device=start.device)  # (B, M)
        matches = distances.gather(1, column.clamp(max=distances.shape[1] - 1))
        matches.masked_fill_(column >= stop, torch.inf)
        column = torch.arange(distances.shape[1], device=start.device)  # (G,)
        distances.masked_fill_((column >= start) & (column < stop), torch.inf)
        return matches.sort(dim=1).values

    def count(self, products: Tensor, rows: slice, cuts: Tensor) -> Tensor:
        """Rows other than matches at or below each cut, (B, T)."""
        return torch.searchsorted(products.sort(dim=1).values, cuts, right=True)


def rank(ranker: SortingRanker, rows: slice, own_matches: tuple[Tensor, Tensor]) -> Ranks:
    """Rank the gallery for a chunk of queries.

    Args:
        ranker: The ranker, see the module's text.
        rows: The chunk.
        own_matches: Row in the chunk and column of each pair to leave out.
    """
    products = ranker.products(rows)
    products[own_matches] = -torch.inf
    matches = ranker.match_distances(products, rows)  # (B, M)
    tolerance = ranker.layout.tolerance[rows, None]

    # Ties form groups; each match gets the number of matches up to the end of its group, and the cut there.
    position = torch.arange(matches.shape[1], device=matches.device).expand_as(matches)
    apart = torch.nn.functional.pad(matches.diff(dim=1) > tolerance, (0, 1), value=True)
    group_end = torch.where(apart, position, matches.shape[1]).flip(1).cummin(1).values.flip(1)
    hits = group_end + 1
    cuts = torch.cat([matches[:, :1] - tolerance, matches.gather(1, group_end) + tolerance], dim=1)
    misses = ranker.count(products, rows, cuts)  # (B, 1 + M)

    found = matches.isfinite()
    precision = torch.where(found, hits / (hits + misses[:, 1:]), 0)
    return Ranks(
        average_precision=precision.sum(1) / found.sum(1),
        nearer=misses[:, 0].double(),
        tied=(hits[:, 0] + misses[:, 1] - misses[:, 0]).double(),
        tied_matches=hits[:, 0].double(),
    )
