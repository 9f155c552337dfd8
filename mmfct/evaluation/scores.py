"""Score pairs of embedding sets by retrieval, and what an upgrade gains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.dist import all_reduce, get_dist_info
from torch import Tensor

from mmfct.evaluation.embedding_set import EmbeddingSet, count_unlabelled
from mmfct.evaluation.gap import Gap, measure_gaps, update_gains
from mmfct.evaluation.pair import NEW_NEW, NEW_UPGRADED, OLD_OLD, Pair
from mmfct.functional import MeanScores, QueryScores, query_scores
from mmfct.functional.retrieval_scores import score_names
from mmfct.utils.json import without_nan

TOPK = (1, 5)
SCORES = score_names(TOPK)


@dataclass(frozen=True)
class Scores:
    """Mean scores of pairs, and the update gains of those whose gallery was upgraded.

    Args:
        pairs: Pair -> mean scores.
        gains: Upgraded pair -> name of the score -> update gain, NaN where `Gap.recovered` is; empty where the
            gap was not measured.
        gaps: Name of the score -> gap between old/old and new/new; empty where it was not measured.
        unlabelled: Name of a set -> number of its items and number of those without a class, if there are any.
    """

    pairs: Mapping[Pair, MeanScores] = field(default_factory=dict)
    gains: Mapping[Pair, Mapping[str, float]] = field(default_factory=dict)
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    unlabelled: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        pairs: Mapping[Pair, MeanScores],
        upgraded: Iterable[Pair],
        *,
        bounds: tuple[QueryScores | None, QueryScores | None] = (None, None),
        paired: bool = True,
        sets: Mapping[str, EmbeddingSet] | None = None,
    ) -> Scores:
        """Add the update gains of the ``upgraded`` pairs, which need the scores of old/old and new/new.

        Args:
            pairs: Pair -> mean scores.
            upgraded: Pairs whose gallery was upgraded.
            bounds: Scores of the queries in old/old and in new/new, if there are any.
            paired: Whether they are of the same queries, see `measure_gaps`.
            sets: Name -> set that was scored, to count the items without a class.
        """
        unlabelled = count_unlabelled(sets or {})
        if OLD_OLD not in pairs or NEW_NEW not in pairs:
            return cls(pairs, {pair: {} for pair in upgraded}, {}, unlabelled)
        gaps = measure_gaps(pairs[OLD_OLD], pairs[NEW_NEW], bounds, paired=paired)
        return cls(pairs, {pair: update_gains(pairs[pair], gaps) for pair in upgraded}, gaps, unlabelled)

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
    def upgraded(self) -> list[Mapping[str, float]]:
        """Mean scores of the upgraded pairs that were scored."""
        return [self.pairs[pair].means for pair in self.gains if pair in self.pairs]

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
    exclude: str = 'matches',
    chunk_size: int | None = None,
) -> QueryScores | None:
    """Score each query by its ranking of the gallery; an item never finds itself.

    Items without a class do not count, and groups are left out: see `mmfct.functional.query_scores`.

    Args:
        query: Q queries.
        gallery: The gallery.
        topk: The k of the CMC scores.
        distance: ``l2``, ``cosine`` or ``inner``.
        exclude: What is left out if the sets have groups: ``matches`` of the query's group, or ``all`` of its items.
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
        query_groups=query.groups,
        gallery_groups=gallery.groups,
        topk=topk,
        distance=distance,
        exclude=exclude,
        chunk_size=chunk_size,
    )


def mean_scores(scores: QueryScores | None, topk: Sequence[int] = TOPK) -> MeanScores:
    """Average the result of `score_pair` over the queries that count; NaN where nothing could be compared."""
    sums = torch.zeros(len(topk) + 2, dtype=torch.float64) if scores is None else scores.sums().cpu()
    return MeanScores.from_sums(sums, topk)


def score_roles(
    roles: Mapping[str, EmbeddingSet],
    pairs: Sequence[Pair],
    *,
    topk: Sequence[int] = TOPK,
    distance: str = 'l2',
    exclude: str = 'matches',
    chunk_size: int | None = None,
) -> Scores:
    """Score pairs of models that embedded the same images, on all ranks together.

    Every rank scores each ``world size``-th query and gets the scores of all.

    Args:
        roles: Role of the model -> embeddings of the images, the same on every rank.
        pairs: Pairs of roles.
        topk: See `score_pair`.
        distance: See there.
        exclude: See there.
        chunk_size: See there.

    Returns:
        The same scores on every rank, with the update gain of new/upgraded. A pair of different widths, or one
        without a query that counts, has NaN.

    Raises:
        ValueError: If a pair is of unknown roles, or an embedding is not finite.
    """
    check_roles(pairs, roles)
    options: dict[str, Any] = dict(topk=topk, distance=distance, exclude=exclude, chunk_size=chunk_size)
    scores = {pair: _score_on_all_ranks(roles[pair.query], roles[pair.gallery], options) for pair in pairs}
    images = next(iter(roles.values()))
    return Scores.of(
        {pair: mean_scores(scores[pair], topk) for pair in pairs},
        [pair for pair in pairs if pair == NEW_UPGRADED],
        bounds=(scores.get(OLD_OLD), scores.get(NEW_NEW)),
        sets=dict(images=images),
    )


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


def _score_on_all_ranks(query: EmbeddingSet, gallery: EmbeddingSet, options: dict[str, Any]) -> QueryScores | None:
    """Score a share of the queries on each rank; return the scores of all, in the order of the queries."""
    if query.width != gallery.width:
        return None
    rank, world_size = get_dist_info()
    share = slice(rank, None, world_size)
    columns = torch.zeros(len(query), len(options['topk']) + 1, dtype=torch.float64)
    mine = score_pair(query.take(share), gallery, **options) if len(query) > rank else None
    if mine is not None:
        columns[share] = torch.cat([mine.cmc, mine.average_precision[:, None]], dim=1).cpu()
    all_reduce(columns)
    return QueryScores(columns[:, :-1], columns[:, -1], ~columns[:, -1].isnan())
