"""Score pairs of embedding sets by retrieval, and what an upgrade gains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.dist import all_reduce, get_dist_info
from torch import Tensor

from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.evaluation.pair import NEW_NEW, NEW_UPGRADED, OLD_OLD, Pair
from mmfct.functional import MeanScores, QueryScores, query_scores, update_gain
from mmfct.functional.retrieval_scores import score_names
from mmfct.utils.json import without_nan

TOPK = (1, 5)
SCORES = score_names(TOPK)


@dataclass(frozen=True)
class Scores:
    """Mean scores of pairs, and the update gains of those whose gallery was upgraded.

    Args:
        pairs: Pair -> mean scores.
        gains: Upgraded pair -> name of the score -> update gain; empty where the gap to recover was not measured.
    """

    pairs: Mapping[Pair, MeanScores] = field(default_factory=dict)
    gains: Mapping[Pair, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: Mapping[Pair, MeanScores], upgraded: Iterable[Pair]) -> Scores:
        """Add the update gains of the ``upgraded`` pairs, which need the scores of old/old and new/new."""
        if OLD_OLD in pairs and NEW_NEW in pairs:
            return cls(pairs, {pair: update_gains(pairs[pair], pairs[OLD_OLD], pairs[NEW_NEW]) for pair in upgraded})
        return cls(pairs, {pair: {} for pair in upgraded})

    @property
    def names(self) -> list[str]:
        """Names of the scores, the same for all pairs.

        Raises:
            ValueError: If there is no pair.
        """
        if not self.pairs:
            raise ValueError("the scores must be those of at least one pair, such as 'new/new', got none")
        return list(next(iter(self.pairs.values())).means)

    @property
    def num_queries(self) -> int:
        """Number of queries that count, in the pair where most do."""
        return max(scores.num_queries for scores in self.pairs.values())

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, in which a score that could not be measured is ``None``."""
        return dict(
            pairs=without_nan({str(pair): scores.to_json() for pair, scores in self.pairs.items()}),
            update_gain=without_nan({str(pair): dict(gains) for pair, gains in self.gains.items()}),
        )


def score_pair(
    query: EmbeddingSet,
    gallery: EmbeddingSet,
    *,
    topk: Sequence[int] = TOPK,
    distance: str = 'l2',
    chunk_size: int | None = None,
) -> QueryScores | None:
    """Score each query by its ranking of the gallery; an item never finds itself.

    Args:
        query: Q queries.
        gallery: The gallery.
        topk: The k of the CMC scores.
        distance: ``l2``, ``cosine`` or ``inner``.
        chunk_size: Number of queries compared with the gallery at a time; ``None`` chooses it.

    Returns:
        The scores, or ``None`` where the embeddings differ in width and cannot be compared.

    Raises:
        ValueError: If an embedding is not finite, or an option is out of range.
    """
    if query.width != gallery.width:
        return None
    return query_scores(
        query.embeddings,
        gallery.embeddings,
        query.labels,
        gallery.labels,
        query_ids=query.ids,
        gallery_ids=gallery.ids,
        topk=topk,
        distance=distance,
        chunk_size=chunk_size,
    )


def mean_scores(scores: QueryScores | None, topk: Sequence[int] = TOPK) -> MeanScores:
    """Average the result of `score_pair` over the queries that count; NaN where nothing could be compared."""
    return MeanScores.from_sums(_sums(scores, topk), topk)


def score_roles(
    roles: Mapping[str, EmbeddingSet],
    pairs: Sequence[Pair],
    *,
    topk: Sequence[int] = TOPK,
    distance: str = 'l2',
    chunk_size: int | None = None,
) -> Scores:
    """Score pairs of models that embedded the same images, on all ranks together.

    Every rank scores each ``world size``-th query, and the sums are added up.

    Args:
        roles: Role of the model -> embeddings of the images, the same on every rank.
        pairs: Pairs of roles.
        topk: See `score_pair`.
        distance: See there.
        chunk_size: See there.

    Returns:
        The same scores on every rank, with the update gain of new/upgraded. A pair of different widths, or one
        without a query that counts, has NaN.

    Raises:
        ValueError: If a pair is of unknown roles, or an embedding is not finite.
    """
    check_roles(pairs, roles)
    rank, world_size = get_dist_info()
    sums = []
    for pair in pairs:
        share = roles[pair.query].take(slice(rank, None, world_size))
        options: dict[str, Any] = dict(topk=topk, distance=distance, chunk_size=chunk_size)
        sums.append(_sums(score_pair(share, roles[pair.gallery], **options) if len(share) else None, topk))
    total = torch.stack(sums)
    all_reduce(total)
    means = {pair: MeanScores.from_sums(row, topk) for pair, row in zip(pairs, total, strict=True)}
    return Scores.of(means, [pair for pair in pairs if pair == NEW_UPGRADED])


def update_gains(upgraded: MeanScores, old: MeanScores, new: MeanScores) -> dict[str, float]:
    """Return the share of the gap between old/old and new/new that an upgraded gallery recovers, by score."""
    return {name: update_gain(mean, old.means[name], new.means[name]) for name, mean in upgraded.means.items()}


def scores_by_name(scores: QueryScores, name: str) -> Tensor:
    """Return one of ``SCORES`` of each query, of shape (Q,); NaN where the query does not count."""
    return scores.average_precision if name == 'map' else scores.cmc[:, SCORES.index(name)]


def check_options(topk: Sequence[int], distance: str, chunk_size: int | None) -> None:
    """Raise the ``ValueError`` of `score_pair` for these options, by scoring a single row."""
    row, number = torch.ones(1, 1), torch.zeros(1, dtype=torch.long)
    query_scores(row, row, number, number, topk=topk, distance=distance, chunk_size=chunk_size)


def check_roles(pairs: Sequence[Pair], roles: Collection[str]) -> None:
    """Raise a ``ValueError`` unless all pairs are made of ``roles``."""
    for pair in pairs:
        for role in pair:
            if role not in roles:
                raise ValueError(f"`pairs` must be made of the roles in `embeddings`, {sorted(roles)!r}, got '{pair}'")


def _sums(scores: QueryScores | None, topk: Sequence[int]) -> Tensor:
    """Return the sums over the queries that count, as `QueryScores.sums` does, or zeros if there are no scores."""
    return torch.zeros(len(topk) + 2, dtype=torch.float64) if scores is None else scores.sums().cpu()
