"""CMC and mean average precision of nearest-neighbour retrieval over the full ranking.

For each query:

- A gallery row with the query's id is left out: by identity, never by position. Without ids
  nothing is left out.
- With groups, such as cameras, the rows of the query's label *and* group are left out, as in person
  re-identification (Zheng et al., Scalable Person Re-identification: A Benchmark, 2015): the same
  person in front of the same camera is too easy. On request all rows of its group are left out.
- A match is a gallery row with the query's label. A query without a match does not count.
- The label -1 stands for an unknown class: such a query does not count, and such a gallery row
  stays in the ranking but matches nothing.
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
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from mmfct.functional._layout import Layout, OwnRows
from mmfct.functional._ranking import Ranker, Ranks, SortingRanker, rank
from mmfct.functional._retrieval_inputs import (
    Ids,
    Rows,
    as_tensor,
    check_counts,
    check_labels,
    encode,
    finite_norms,
)
from mmfct.functional._screening import ScreeningRanker, screening_applies
from mmfct.functional.distance import check_matrices
from mmfct.functional.retrieval_scores import UNKNOWN, MeanScores, QueryScores
from mmfct.utils.distances import check_distance

# What groups leave out for a query: rows of its label and group, or all rows of its group.
EXCLUDE = ('matches', 'all')


def retrieval_metrics(
    query: Rows,
    gallery: Rows,
    query_labels: Rows,
    gallery_labels: Rows,
    *,
    topk: Sequence[int] = (1, 5),
    distance: str = 'l2',
    query_ids: Ids | None = None,
    gallery_ids: Ids | None = None,
    query_groups: Ids | None = None,
    gallery_groups: Ids | None = None,
    exclude: str = 'matches',
    chunk_size: int | None = None,
) -> dict[str, float | int]:
    """Mean scores over the queries that have a match; arguments as in :func:`query_scores`.

    Items of an unknown class do not count; a warning says how many there are.

    Args:
        query: Embeddings of shape (Q, D), a tensor or an array, such as a mapped column of a gallery.
        gallery: Embeddings of shape (G, D).
        query_labels: Integers of shape (Q,), -1 where the class is not known.
        gallery_labels: Integers of shape (G,).
        topk: The k of CMC-k.
        distance: ``'l2'``, ``'cosine'`` or ``'inner'``.
        query_ids: Integers or strings of shape (Q,).
        gallery_ids: Integers or strings of shape (G,).
        query_groups: Integers or strings of shape (Q,), such as cameras.
        gallery_groups: Integers or strings of shape (G,).
        exclude: What groups leave out: ``'matches'`` or ``'all'``.
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
        query_groups=query_groups,
        gallery_groups=gallery_groups,
        exclude=exclude,
        chunk_size=chunk_size,
    )
    unknown = [int((as_tensor('labels', labels) == UNKNOWN).sum()) for labels in (query_labels, gallery_labels)]
    if any(unknown):
        warnings.warn(
            f'the class is unknown (label -1) of {unknown[0]} of {len(query)} queries, which do not count, and of '
            f'{unknown[1]} of {len(gallery)} gallery rows, which match nothing',
            stacklevel=2,
        )
    return MeanScores.from_sums(scores.sums(), topk).to_json()


@torch.no_grad()
def query_scores(
    query: Rows,
    gallery: Rows,
    query_labels: Rows,
    gallery_labels: Rows,
    *,
    topk: Sequence[int] = (1, 5),
    distance: str = 'l2',
    query_ids: Ids | None = None,
    gallery_ids: Ids | None = None,
    query_groups: Ids | None = None,
    gallery_groups: Ids | None = None,
    exclude: str = 'matches',
    chunk_size: int | None = None,
) -> QueryScores:
    """Score each query by its ranking of the gallery, by the rules in the module's text.

    The scores of a query do not depend on the other queries: several ranks may each take a share.

    Args:
        query: Embeddings of shape (Q, D), any floating type, CPU or CUDA; a tensor or an array.
        gallery: Embeddings of shape (G, D).
        query_labels: Integers of shape (Q,), classes from 0, or -1 where the class is not known.
        gallery_labels: Integers of shape (G,).
        topk: The k of CMC-k, positive.
        distance: One of those of :func:`~mmfct.functional.pairwise_distances`.
        query_ids: Integers or strings of shape (Q,), given together with ``gallery_ids``. Gallery
            rows with the id of a query are left out for it.
        gallery_ids: Integers or strings of shape (G,).
        query_groups: Integers or strings of shape (Q,), given together with ``gallery_groups``: the
            camera, patient, video ... of each query.
        gallery_groups: Integers or strings of shape (G,).
        exclude: ``'matches'`` leaves out the gallery rows with the label and the group of a query, as
            person re-identification does; ``'all'`` leaves out all rows with its group.
        chunk_size: Number of queries whose distances to the gallery are in memory at once. Without
            it, as many as take 160 MB, or 40 MB per thread where the loops are compiled.

    Returns:
        The scores, on the device of ``query``; on the CPU for arrays.

    Raises:
        ValueError: If an argument breaks one of the rules above, or a row is not finite.
    """
    check_distance(distance)
    query, gallery = as_tensor('query', query), as_tensor('gallery', gallery)
    check_matrices(query, gallery)
    query_labels = check_labels('query_labels', as_tensor('query_labels', query_labels), len(query))
    gallery_labels = check_labels('gallery_labels', as_tensor('gallery_labels', gallery_labels), len(gallery))
    check_counts(topk, chunk_size)
    check_exclude(exclude)
    sizes = len(query), len(gallery)
    ids = encode('ids', query_ids, gallery_ids, sizes)
    groups = encode('groups', query_groups, gallery_groups, sizes)

    # Only CPU and CUDA are sure to have float64.
    device = query.device if query.is_cuda else torch.device('cpu')
    source, query, gallery = query.device, query.to(device), gallery.to(device)
    query_norms, gallery_norms = finite_norms('query', query), finite_norms('gallery', gallery)
    query_labels, query_order = query_labels.to(device).sort()
    gallery_labels, gallery_order = gallery_labels.to(device).sort()
    layout = Layout.build(
        query[query_order],
        query_labels,
        query_norms[query_order],
        gallery[gallery_order],
        gallery_labels,
        gallery_norms[gallery_order],
        distance,
    )
    left_out = []
    for codes, with_label in ((ids, False), (groups, exclude == 'matches')):
        if codes is not None:
            own, others = codes[0].to(device)[query_order], codes[1].to(device)[gallery_order]
            if with_label:
                own, others = _joint_codes((own, others), (query_labels, gallery_labels))
            left_out.append(OwnRows(own, others))

    screening = screening_applies(layout)
    ranker: Ranker = ScreeningRanker(layout) if screening else SortingRanker(layout)
    rows = max(chunk_size // ranker.threads, 1) if chunk_size else ranker.rows_per_chunk
    rows = min(rows, *(own.rows_in(80_000_000) for own in left_out)) if left_out else rows
    ranks = Ranks(*torch.empty(len(Ranks._fields), len(query), dtype=torch.float64, device=device))

    def work(rows: slice) -> None:
        for column, part in zip(ranks, rank(ranker, rows, left_out), strict=True):
            column[query_order[rows]] = part

    ranker.map(work, _chunks(len(query), rows, ranker.threads))
    scores = ranks.cmc(topk), ranks.average_precision, ranks.matches > 0
    return QueryScores(*(column.to(source) for column in scores))


def check_exclude(exclude: str) -> None:
    """Raise a ``ValueError`` unless ``exclude`` is one of ``EXCLUDE``."""
    if exclude not in EXCLUDE:
        raise ValueError(f'`exclude` must be one of {", ".join(EXCLUDE)}, got {exclude!r}')


def _joint_codes(groups: tuple[Tensor, Tensor], labels: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Codes of groups, (Q,) and (G,), and labels -> codes that are equal where both are."""
    classes = torch.cat(labels).unique(return_inverse=True)[1]
    codes = torch.cat(groups)
    codes = classes * (codes.max() + 1) + codes
    return codes[: len(groups[0])], codes[len(groups[0]) :]


def _chunks(size: int, longest: int, threads: int) -> list[slice]:
    """Cut range(size) into slices of about one length, of equal number for each thread."""
    number = math.ceil(size / longest / threads) * threads
    length = math.ceil(size / number)
    return [slice(i, min(i + length, size)) for i in range(0, size, length)]
