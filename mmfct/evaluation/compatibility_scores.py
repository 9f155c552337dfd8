"""Score pairs of embedding models by retrieval."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from mmengine.dist import all_reduce, get_dist_info
from torch import Tensor

from mmfct.evaluation.compatibility_report import UPGRADE_PAIR
from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.functional import query_scores, update_gain


def score_pairs(
    images: EmbeddingSet,
    pairs: Sequence[str],
    *,
    topk: Sequence[int] = (1, 5),
    distance: str = 'l2',
    chunk_size: int | None = None,
) -> dict[str, float]:
    """Retrieval scores of each pair and, where they can be had, the update gains.

    Queries and gallery are the same images, and an image never finds itself. On several ranks each
    one scores every ``world size``-th query and the sums are added up.

    Args:
        images: Embeddings, the same on every rank.
        pairs: Pairs of roles, each written ``query/gallery``.
        topk: The k of the CMC scores.
        distance: ``l2``, ``cosine`` or ``inner``.
        chunk_size: Number of queries compared with the gallery at a time; ``None`` chooses it.

    Returns:
        ``{pair}_cmc{k}``, ``{pair}_map``, ``num_queries``, ``update_gain_cmc{k}`` and
        ``update_gain_map``, the same on every rank. A pair of different widths, or one without a
        query that counts, gives NaN.

    Raises:
        ValueError: A pair is malformed or of unknown roles, an embedding is not finite, or an id
            occurs twice.
    """
    check_pairs(pairs)
    check_roles(pairs, images.embeddings)
    _check_rows(images)
    sums = torch.stack(
        [_sum_over_share(images, pair, tuple(topk), distance=distance, chunk_size=chunk_size) for pair in pairs]
    )
    all_reduce(sums)
    names = [*(f'cmc{k}' for k in topk), 'map']
    means = (sums[:, :-1] / sums[:, -1:]).tolist()  # 0 / 0 = NaN: nothing was compared
    metrics: dict[str, float] = {
        f'{pair}_{name}': value
        for pair, row in zip(pairs, means, strict=True)
        for name, value in zip(names, row, strict=True)
    }
    metrics['num_queries'] = int(sums[:, -1].max())  # labels decide: the same in all pairs
    if {'old/old', UPGRADE_PAIR, 'new/new'} <= set(pairs):
        for name in names:
            scores = [metrics[f'{pair}_{name}'] for pair in (UPGRADE_PAIR, 'old/old', 'new/new')]
            metrics[f'update_gain_{name}'] = float(update_gain(*scores))
    return metrics


def check_pairs(pairs: Sequence[str]) -> None:
    """Raise a ``ValueError`` unless all pairs are written ``query/gallery``."""
    if isinstance(pairs, str) or not pairs:
        raise ValueError(f"`pairs` must be a sequence like ('new/old', 'new/new'), got {pairs!r}")
    for pair in pairs:
        if not isinstance(pair, str) or [bool(role) for role in pair.split('/')] != [True, True]:
            raise ValueError(f"`pairs` must be written 'query/gallery', got {pair!r}")


def check_options(topk: Sequence[int], distance: str, chunk_size: int | None) -> None:
    """Raise the ``ValueError`` of ``query_scores`` for these options, by scoring a single row."""
    row, number = torch.ones(1, 1), torch.zeros(1, dtype=torch.long)
    query_scores(row, row, number, number, topk=topk, distance=distance, chunk_size=chunk_size)


def check_roles(pairs: Sequence[str], roles: Collection[str]) -> None:
    """Raise a ``ValueError`` unless all pairs are made of ``roles``."""
    for pair in pairs:
        for role in pair.split('/'):
            if role not in roles:
                raise ValueError(f'`pairs` must be made of the roles in `embeddings`, {sorted(roles)!r}, got {pair!r}')


def _sum_over_share(
    images: EmbeddingSet,
    pair: str,
    topk: tuple[int, ...],
    *,
    distance: str,
    chunk_size: int | None,
) -> Tensor:
    """Sums over the counted queries of this rank, (K + 2,): CMC per k, AP, their number."""
    query, gallery = pair.split('/')
    rank, world_size = get_dist_info()
    share = slice(rank, None, world_size)
    sums = torch.zeros(len(topk) + 2, dtype=torch.float64)
    if images.widths[query] != images.widths[gallery] or len(images.labels[share]) == 0:
        return sums
    scores = query_scores(
        images.embeddings[query][share],
        images.embeddings[gallery],
        images.labels[share],
        images.labels,
        query_ids=images.ids[share],
        gallery_ids=images.ids,
        topk=topk,
        distance=distance,
        chunk_size=chunk_size,
    )
    counted = scores.counted
    sums[:-2] = scores.cmc[counted].sum(dim=0, dtype=torch.float64)
    sums[-2] = scores.average_precision[counted].sum(dtype=torch.float64)
    sums[-1] = counted.sum()
    return sums


def _check_rows(images: EmbeddingSet) -> None:
    for role, rows in images.embeddings.items():
        bad = int((~torch.isfinite(rows).all(dim=1)).sum())
        if bad:
            raise ValueError(
                f'`embeddings` must be finite, got NaN or infinite values for role {role!r} in '
                f'{bad} of {len(rows)} rows'
            )
    num_ids = len(images.ids.unique())
    if num_ids < len(images.ids):
        raise ValueError(
            '`sample_idx` must be unique in the data set, or a self-match cannot be told from '
            f'another image (a concatenated data set repeats it), got {num_ids} values for '
            f'{len(images.ids)} samples'
        )
