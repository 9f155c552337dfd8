"""Scores of retrieval: of each query, and averaged over the queries that count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

# Label of an item whose class is not known.
UNKNOWN = -1


class QueryScores(NamedTuple):
    """Scores of each query.

    Attributes:
        cmc: CMC-k for each k, float64 of shape (Q, K); NaN where the query does not count.
        average_precision: float64 of shape (Q,); NaN where the query does not count.
        counted: Whether the query has a match, bool of shape (Q,).
    """

    cmc: Tensor
    average_precision: Tensor
    counted: Tensor

    def sums(self) -> Tensor:
        """Sum the scores over the queries that count.

        Returns:
            float64 of shape (K + 2,): CMC-k for each k, average precision, and the number of queries that count. The
            sums of parts of the queries add up to those of all.
        """
        cmc, average_precision = self.cmc[self.counted], self.average_precision[self.counted]
        return torch.cat([cmc.sum(dim=0), average_precision.sum()[None], self.counted.sum()[None]])


class MeanScores(NamedTuple):
    """Scores averaged over the queries that have a match.

    Attributes:
        means: ``cmc{k}`` for each k, then ``map``, as fractions; NaN if no query counts.
        num_queries: Number of queries that count.
    """

    means: dict[str, float]
    num_queries: int

    @classmethod
    def from_sums(cls, sums: Tensor, topk: Sequence[int]) -> MeanScores:
        """Divide the sums of :meth:`QueryScores.sums`, of shape (K + 2,), by the number of queries."""
        means = (sums[:-1] / sums[-1]).tolist()  # 0 / 0 = NaN: nothing was compared
        return cls(dict(zip(score_names(topk), means, strict=True)), int(sums[-1]))

    def to_json(self) -> dict[str, float | int]:
        """Return means and ``num_queries`` as one dictionary."""
        return {**self.means, 'num_queries': self.num_queries}


def score_names(topk: Sequence[int]) -> tuple[str, ...]:
    """Return the names of the scores in their order: ``cmc{k}`` for each k, then ``map``."""
    return (*(f'cmc{k}' for k in topk), 'map')
