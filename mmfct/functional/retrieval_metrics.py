"""CMC and mean average precision of nearest-neighbour retrieval over the full ranking.

For each query:

- A gallery row with the query's id is left out: by identity, never by position. Without ids
  nothing is left out.
- A match is a gallery row with the query's label. A query without a match does not count.
- Average precision is the mean, over the matches, of the precision at each. Rows at equal distance
  form one group that enters as a whole, as in scikit-learn's ``average_precision_score``.
- CMC-k is the probability of a match among the k nearest, with rows at equal distance in random
  order.

The distances compared are float64 whatever the inputs are, and those that differ by no more than
the error of their computation (about D * 10^-16 of the product of the norms) are equal. Hence
equal rows are always at equal distance, and the ranks do not depend on the order of the rows, on
``chunk_size``, on the number of threads or on the device.

Small problems and CUDA tensors are sorted with torch (``_ranking``). For large problems on the CPU
that takes about 30 times as long as the matrix products, and no sequence of torch operations is
near them; there compiled loops (numba, ``_screening``) add less than half. Without numba they are
sorted too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mmfct.functional._layout import Layout, OwnRows
from mmfct.functional._ranking import Ranker, Ranks, SortingRanker, rank
from mmfct.functional._retrieval_inputs import Ids, check_counts, check_labels, encode_ids, finite_norms
from mmfct.functional._screening import ScreeningRanker, screening_applies
from mmfct.functional.distance import check_matrices
from mmfct.utils.distances import check_distance


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


def retrieval_metrics(
    query: Tensor,
    gallery: Tensor,
    query_labels: Tensor,
    gallery_labels: Tensor,
    *,
    topk: Sequence[int] = (1, 5),
    distance: str = 'l2',
    query_ids: Ids | None = None,
    gallery_ids: Ids | None = None,
    chunk_size: int | None = None,
) -> dict[str, float | int]:
    """Mean scores over the queries that have a match; arguments as in :func:`query_scores`.

    Args:
        query: Embeddings of shape (Q, D).
        gallery: Embeddings of shape (G, D).
        query_labels: Integers of shape (Q,).
        gallery_labels: Integers of shape (G,).
        topk: The k of CMC-k.
        distance: ``'l2'``, ``'cosine'`` or ``'inner'``.
        query_ids: Integers or strings of shape (Q,).
        gallery_ids: Integers or strings of shape (G,).
        chunk_size: Number of queries at a time.

    Returns:
        ``cmc{k}`` for each k and ``map`` as fractions, NaN if no query counts, and
        ``num_queries``, the number of queries that count.
    """
    scores = query_scores(
        query,
        gallery,
        query_labels,
        gallery_labels,
        topk=topk,
        distance=distance,
        query_ids=query_ids,
        gallery_ids=gallery_ids,
        chunk_size=chunk_size,
    )
    return MeanScores.from_sums(scores.sums(), topk).to_json()


@torch.no_grad()
def query_scores(
    query: Tensor,
    gallery: Tensor,
    query_labels: Tensor,
    gallery_labels: Tensor,
    *,
    topk: Sequence[int] = (1, 5),
    distance: str = 'l2',
    query_ids: Ids | None = None,
    gallery_ids: Ids | None = None,
    chunk_size: int | None = None,
) -> QueryScores:
    """Score each query by its ranking of the gallery, by the rules in the module's text.

    The scores of a query do not depend on the other queries: several ranks may each take a share.

    Args:
        query: Embeddings of shape (Q, D), any floating type, CPU or CUDA.
        gallery: Embeddings of shape (G, D).
        query_labels: Integers of shape (Q,).
        gallery_labels: Integers of shape (G,).
        topk: The k of CMC-k, positive.
        distance: One of those of :func:`~mmfct.functional.pairwise_distances`.
        query_ids: Integers or strings of shape (Q,), given together with ``gallery_ids``. Gallery
            rows with the id of a query are left out for it.
        gallery_ids: Integers or strings of shape (G,).
        chunk_size: Number of queries whose distances to the gallery are in memory at once. Without
            it, as many as take 160 MB, or 40 MB per thread where the loops are compiled.

    Returns:
        The scores, on the device of ``query``.

    Raises:
        ValueError: If an argument breaks one of the rules above, or a row is not finite.
    """
    check_distance(distance)
    check_matrices(query, gallery)
    check_labels('query_labels', query_labels, len(query))
    check_labels('gallery_labels', gallery_labels, len(gallery))
    check_counts(topk, chunk_size)
    ids = encode_ids(query_ids, gallery_ids, len(query), len(gallery))

    # Only CPU and CUDA are sure to have float64.
    device = query.device if query.is_cuda else torch.device('cpu')
    source, query, gallery = query.device, query.to(device), gallery.to(device)
    query_norms, gallery_norms = finite_norms('query', query), finite_norms('gallery', gallery)
    query_labels, query_order = query_labels.to(device, torch.int64).sort()
    gallery_labels, gallery_order = gallery_labels.to(device, torch.int64).sort()
    layout = Layout.build(
        query[query_order],
        query_labels,
        query_norms[query_order],
        gallery[gallery_order],
        gallery_labels,
        gallery_norms[gallery_order],
        distance,
    )
    own_rows = None
    if ids is not None:
        query_codes, gallery_codes = ids[0].to(device), ids[1].to(device)
        own_rows = OwnRows(query_codes[query_order], gallery_codes[gallery_order])

    screening = screening_applies(layout)
    ranker: Ranker = ScreeningRanker(layout) if screening else SortingRanker(layout)
    rows = max(chunk_size // ranker.threads, 1) if chunk_size else ranker.rows_per_chunk
    ranks = Ranks(*torch.empty(len(Ranks._fields), len(query), dtype=torch.float64, device=device))

    def work(rows: slice) -> None:
        for column, part in zip(ranks, rank(ranker, rows, own_rows), strict=True):
            column[query_order[rows]] = part

    ranker.map(work, _chunks(len(query), rows, ranker.threads))
    scores = ranks.cmc(topk), ranks.average_precision, ranks.matches > 0
    return QueryScores(*(column.to(source) for column in scores))


def _chunks(size: int, longest: int, threads: int) -> list[slice]:
    """Cut range(size) into slices of about one length, of equal number for each thread."""
    number = math.ceil(size / longest / threads) * threads
    length = math.ceil(size / number)
    return [slice(i, min(i + length, size)) for i in range(0, size, length)]
