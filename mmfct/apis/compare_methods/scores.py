"""Scores of upgraded galleries, all against the same queries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from mmfct.apis.compare_methods.table import Table
from mmfct.apis.compare_methods.upgraded import Upgraded
from mmfct.apis.evaluate_compatibility.embedded_set import EmbeddedSet
from mmfct.apis.evaluate_compatibility.pairs import SCORES, mean_scores, score_pair
from mmfct.apis.plan_backfill.curve import area, backfill_curves
from mmfct.functional import QueryScores, update_gain
from mmfct.functional.backfill import order_at_random, order_by_uncertainty
from mmfct.functional.compatibility import negative_flips
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.utils.fingerprint import fingerprint_state_dict


@dataclass(frozen=True)
class MethodScores:
    """What was measured of one method.

    Args:
        scores: ``cmc1``, ``cmc5`` and ``map`` of new queries on the upgraded gallery, as fractions.
        gains: Share of the gap between old/old and new/new that is recovered, for each of these.
        goal: The same scores of new/new: other than the usual ones where the method alters the new model.
        order: How items are chosen for a partial backfill: by ``uncertainty`` where the method predicts it, else
            at ``random``.
        curves: Each score at 22 fractions of the gallery that are recomputed.
        negative_flips: Share of the queries whose nearest neighbour was a match in old/old and is none any more.
        parameters: See `Upgraded`.
        multiply_adds: See there.
        bytes_per_item: See there.
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


class Judge:
    """Scores upgraded galleries; queries are the same images, and an image never finds itself.

    Args:
        test: The images by all models.
        distance: ``l2``, ``cosine`` or ``inner``.
        seed: Seed of random orders.
    """

    def __init__(self, test: Table, *, distance: str = 'l2', seed: int = 0) -> None:
        self.test, self.distance, self.seed = test, distance, seed

    def bounds(self) -> dict[str, dict[str, float]]:
        """Return the scores of old/old, new/old without a transformation, and new/new."""
        new = self._set('new', self.test.embeddings['new'])
        return {
            'old/old': mean_scores(self._old_old),
            'new/old': mean_scores(score_pair(new, self._set('old', self.test.embeddings['old']))),
            'new/new': mean_scores(score_pair(new, new)),
        }

    def score(self, method: Upgraded) -> MethodScores:
        """Score one method."""
        query = self._set('new', self.test.embeddings['new'] if method.queries is None else method.queries)
        gallery = self._set('upgraded', method.embeddings)
        pair = score_pair(query, gallery)
        scores, goal = mean_scores(pair), mean_scores(score_pair(query, query))
        old, ideal = mean_scores(self._old_old), goal if method.queries is None else self.bounds()['new/new']
        order = 'random' if method.log_variance is None else 'uncertainty'
        lost = math.nan
        curves = {name: [math.nan] for name in SCORES}
        if pair is not None and self._old_old is not None:
            flips = negative_flips(self._old_old.cmc[:, 0], pair.cmc[:, 0])[pair.counted]
            lost = flips.double().mean().item()
            if method.log_variance is None:
                rows = order_at_random(len(gallery.ids), self.seed)
            else:
                rows = order_by_uncertainty(method.log_variance)
            curves = backfill_curves(query, gallery, query, {order: rows.numpy()})[order]
        return MethodScores(
            scores={name: scores[name] for name in SCORES},
            gains={name: update_gain(scores[name], old[name], ideal[name]) for name in SCORES},
            goal={name: goal[name] for name in SCORES},
            order=order,
            curves=curves,
            negative_flips=lost,
            parameters=method.parameters,
            multiply_adds=method.multiply_adds,
            bytes_per_item=method.bytes_per_item,
        )

    @cached_property
    def _old_old(self) -> QueryScores | None:
        old = self._set('old', self.test.embeddings['old'])
        return score_pair(old, old)

    def _set(self, name: str, embeddings: Tensor) -> EmbeddedSet:
        # No gallery on disk, so it is known by its contents.
        identity = ModelIdentity(name, fingerprint_state_dict(dict(embedding=embeddings)))
        ids = np.asarray(self.test.ids)
        return EmbeddedSet(name, Provenance(identity, distance=self.distance), embeddings, self.test.labels, ids)
