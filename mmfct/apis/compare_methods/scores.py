"""Score upgraded galleries, all with the same queries."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from mmfct.apis.compare_methods.table import Table
from mmfct.apis.compare_methods.upgraded import Upgraded
from mmfct.evaluation.backfill_curves import area, backfill_curves
from mmfct.evaluation.embedding_set import EmbeddingSet, count_unlabelled
from mmfct.evaluation.gap import Gap, measure_gaps, update_gains
from mmfct.evaluation.pair import NEW_NEW, OLD_OLD, Pair
from mmfct.evaluation.report import gap_notes, unlabelled_notes
from mmfct.evaluation.scores import SCORES, mean_scores, score_pair
from mmfct.functional import MeanScores, QueryScores
from mmfct.functional.backfill import order_at_random, order_by_uncertainty
from mmfct.functional.compatibility import negative_flips
from mmfct.utils.json import without_nan


@dataclass(frozen=True)
class MethodScores:
    """Scores and costs of one method.

    Args:
        scores: ``cmc1``, ``cmc5`` and ``map`` of new queries on the upgraded gallery, as fractions.
        gains: Share of the gap between old/old and new/new that is recovered, for each of these; NaN where there is
            no gap, or a small one.
        goal: The same scores of new/new: they differ from the usual ones where the method alters the new model.
        order: How items are chosen for a partial backfill: by ``uncertainty`` where the method predicts it, else
            at ``random``.
        curves: Each score at 22 fractions of the gallery that are recomputed.
        negative_flips: Share of the queries whose nearest neighbour was a match in old/old and no longer is.
        parameters: See `Upgraded`.
        multiply_adds: See `Upgraded`.
        bytes_per_item: See `Upgraded`.
    """

    scores: dict[str, float]
    gains: dict[str, float]
    goal: dict[str, float]
    order: str
    curves: dict[str, list[float]]
    negative_flips: float
    parameters: int
    multiply_adds: int
    bytes_per_item: int

    @property
    def areas(self) -> dict[str, float]:
        """Area under each curve."""
        return {name: area(values) for name, values in self.curves.items()}


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison of methods.

    Args:
        bounds: Scores without a method: old/old, new/old without a transformation, and new/new.
        methods: Name -> scores and costs.
        gaps: Name of the score -> gap between old/old and new/new.
        unlabelled: See `Scores`.
    """

    bounds: Mapping[Pair, MeanScores]
    methods: Mapping[str, MethodScores]
    gaps: Mapping[str, Gap]
    unlabelled: Mapping[str, tuple[int, int]]

    @property
    def first_notes(self) -> list[str]:
        """Sentences for above the tables: where the new model itself is not better, or hardly."""
        return gap_notes(self.gaps, [method.scores for method in self.methods.values()])

    @property
    def notes(self) -> list[str]:
        """Sentences for below the tables."""
        return unlabelled_notes(self.unlabelled)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, in which a score that could not be measured is ``None``."""
        return without_nan(
            dict(
                bounds={str(pair): scores.to_json() for pair, scores in self.bounds.items()},
                methods={name: asdict(scores) for name, scores in self.methods.items()},
                notes=[*self.first_notes, *self.notes],
            )
        )


class Judge:
    """Scores upgraded galleries; queries are the same images, and an image never finds itself.

    Args:
        test: The images by all models.
        distance: ``l2``, ``cosine`` or ``inner``.
        exclude: See `score_pair`.

    Attributes:
        bounds: See `Comparison`.
        gaps: See there.
    """

    def __init__(self, test: Table, *, distance: str = 'l2', exclude: str = 'matches') -> None:
        self.test, self.distance, self.exclude = test, distance, exclude
        self._old_old = self._score(test['old'], test['old'])
        new_new = self._score(test['new'], test['new'])
        self.bounds = {
            OLD_OLD: mean_scores(self._old_old),
            Pair('new', 'old'): mean_scores(self._score(test['new'], test['old'])),
            NEW_NEW: mean_scores(new_new),
        }
        self.gaps = measure_gaps(self.bounds[OLD_OLD], self.bounds[NEW_NEW], (self._old_old, new_new))

    def score(self, method: Upgraded) -> MethodScores:
        """Score one method."""
        gallery = replace(self.test['new'], embeddings=method.embeddings)
        query, goal = self.test['new'], self.bounds[NEW_NEW]
        if method.queries is not None:
            query = replace(query, embeddings=method.queries)
            goal = mean_scores(self._score(query, query))
        scores = self._score(query, gallery)
        means = mean_scores(scores)
        order = 'random' if method.log_variance is None else 'uncertainty'
        lost, curves = math.nan, {name: [math.nan] for name in SCORES}
        if scores is not None and self._old_old is not None:
            flips = negative_flips(self._old_old.cmc[:, 0], scores.cmc[:, 0])[scores.counted]
            lost = flips.double().mean().item()
            if method.log_variance is None:
                rows = order_at_random(len(gallery), 0)
            else:
                rows = order_by_uncertainty(method.log_variance)
            options = dict(distance=self.distance, exclude=self.exclude)
            curves = backfill_curves(query, gallery, query, {order: rows.numpy()}, **options)[order]
        return MethodScores(
            scores=means.means,
            gains=update_gains(means, self.gaps),
            goal=goal.means,
            order=order,
            curves=curves,
            negative_flips=lost,
            parameters=method.parameters,
            multiply_adds=method.multiply_adds,
            bytes_per_item=method.bytes_per_item,
        )

    def compare(self, methods: Mapping[str, MethodScores]) -> Comparison:
        """Put the scores of methods together with those of the models."""
        return Comparison(self.bounds, methods, self.gaps, count_unlabelled(dict(images=self.test['new'])))

    def _score(self, query: EmbeddingSet, gallery: EmbeddingSet) -> QueryScores | None:
        return score_pair(query, gallery, distance=self.distance, exclude=self.exclude)
