"""The facts about a ranking that CMC and average precision need, and a ranker in plain torch.

A query needs the distances of its own matches and, at each of these, the number of other rows that
are as near; the order of the others does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from mmfct.functional._layout import Layout, OwnRows, padded_ranges


class Ranks(NamedTuple):
    """Summary of the rankings of B queries; each entry is float64 of shape (B,).

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
        column, inside = padded_ranges(start, stop)  # (B, M)
        matches = distances.gather(1, column.clamp(max=len(self.gallery) - 1))
        matches.masked_fill_(~inside, torch.inf)
        column = torch.arange(len(self.gallery), device=distances.device)
        is_match = (column >= start[:, None]) & (column < stop[:, None])  # (B, G)
        distances.masked_fill_(is_match, torch.inf)
        return matches.sort(dim=1).values

    def count(self, products: Tensor, rows: slice, cuts: Tensor) -> Tensor:
        """Number of rows left at or below each cut, (B, T)."""
        return torch.searchsorted(products.sort(dim=1).values, cuts, right=True)


def rank(ranker: Ranker, rows: slice, left_out: Sequence[OwnRows]) -> Ranks:
    """Rank the gallery for a chunk of queries, without the rows to leave out for each."""
    products = ranker.products(rows)
    for own_rows in left_out:
        products[own_rows.pairs(rows)] = -torch.inf
    matches = ranker.match_distances(products, rows)  # (B, M)
    tolerance = ranker.layout.tolerance_at(rows, matches)

    # Tied matches form a group: each has the cut, and the number of matches, at the group's end.
    position = torch.arange(matches.shape[1], device=matches.device)
    ends = torch.nn.functional.pad(matches.diff(dim=1) > tolerance[:, 1:], (0, 1), value=True)
    end = torch.where(ends, position, len(position)).flip(1).cummin(1).values.flip(1)
    cuts = torch.cat([matches[:, :1] - tolerance[:, :1], (matches + tolerance).gather(1, end)], dim=1)
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
