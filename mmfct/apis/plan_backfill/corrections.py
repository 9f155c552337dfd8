"""Other lengths or spread for upgraded vectors: what they change while a gallery is filled up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmfct.evaluation.backfill_curves import backfill_points
from mmfct.evaluation.backfill_dips import CONFIDENCE, Interval, find_dip, point_scores
from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.functional import QueryScores
from mmfct.functional.bootstrap import affordable_resamples, bootstrap_interval
from mmfct.functional.spread import LengthFit, SpreadFit, fit_lengths, fit_scale, fit_spread

# Of fewer items, a half says little about the other.
_LEAST_ITEMS = 40

Fit = LengthFit | SpreadFit
_FITS: dict[str, Callable[[Tensor, Tensor], Fit]] = dict(scale=fit_scale, calibrated=fit_lengths, spread=fit_spread)
# With the cosine distance lengths do not matter.
_FITS_OF_COSINE = ('spread',)


@dataclass(frozen=True)
class Correction:
    """What a correction of the upgraded vectors changes, learned on half of the items and measured on the others.

    Args:
        fit: The correction, learned on all items.
        plain: Score of the other half as it is, where its curve is lowest.
        lowest: Score where the corrected curve is lowest.
        interval: Interval of the difference of these two.
        at_start: Change of the score before anything is recomputed.
        at_start_interval: Interval of that.
        dips: Whether the corrected curve still falls below both ends.
    """

    fit: Fit
    plain: float
    lowest: float
    interval: Interval
    at_start: float
    at_start_interval: Interval
    dips: bool

    @property
    def helps(self) -> bool:
        """Whether the lowest point rises by more than the noise."""
        return self.interval[0] > 0

    @property
    def costs(self) -> bool:
        """Whether the upgraded gallery gets worse by it, before anything is recomputed, by more than the noise."""
        return self.at_start_interval[1] < 0

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        fit = {name: value for name, value in self.fit._asdict().items() if not isinstance(value, Tensor)}
        measured = {name: value for name, value in vars(self).items() if name != 'fit'}
        return fit | measured | dict(helps=self.helps)


@dataclass(frozen=True)
class Search:
    """How a gallery is scored while it is filled up.

    Args:
        query: Queries by the new model.
        new: The gallery by the new model.
        score: Name of the score.
        distance: See `backfill_curves`.
        exclude: See there.
    """

    query: EmbeddingSet
    new: EmbeddingSet
    score: str
    distance: str
    exclude: str

    def curve(self, upgraded: EmbeddingSet, kept: np.ndarray, rows: np.ndarray) -> list[QueryScores]:
        """Score a curve of some items alone, of which ``rows``, numbered among these, are not recomputed."""
        options: dict[str, Any] = dict(distance=self.distance, exclude=self.exclude)
        gallery, goal = upgraded.take(kept), self.new.take(kept)
        return backfill_points(self.query, gallery, goal, dict(curve=rows), **options)['curve']


def try_corrections(upgraded: EmbeddingSet, rows: np.ndarray, search: Search) -> dict[str, Correction]:
    """Learn corrections on half of the rows, and score curves of the other half, each with the same queries.

    Args:
        upgraded: The gallery before.
        rows: Rows that are not recomputed yet, in the order of the curve.
        search: How the gallery is scored.

    Returns:
        ``scale`` (one factor for the length), ``calibrated`` (a line for the length) and ``spread`` (one factor around
        the mean) -> what it changes; with the cosine distance the last alone. Empty if there are too few items.
    """
    if len(rows) < _LEAST_ITEMS:
        return {}
    learned_on = np.random.default_rng(0).permutation(rows)[: len(rows) // 2]
    kept = np.setdiff1d(np.arange(len(upgraded)), learned_on)
    place = np.full(len(upgraded), -1)
    place[kept] = np.arange(len(kept))
    left = place[rows[place[rows] >= 0]]
    others = torch.from_numpy(kept[left])
    plain = point_scores(search.curve(upgraded, kept, left), search.score)
    found = {}
    for name in _FITS_OF_COSINE if search.distance == 'cosine' else _FITS:
        whole, half = (
            _FITS[name](upgraded.embeddings[chosen], search.new.embeddings[chosen])
            for chosen in map(torch.from_numpy, (rows, learned_on))
        )
        embeddings = upgraded.embeddings.clone()
        embeddings[others] = half(embeddings[others])
        points = search.curve(replace(upgraded, embeddings=embeddings), kept, left)
        found[name] = _compare(plain, points, search.score, whole)
    return found


def mean_interval(values: Tensor) -> Interval:
    """Return the confidence interval of a mean over queries or items."""
    return bootstrap_interval(values, confidence=CONFIDENCE, resamples=affordable_resamples(len(values)))


def _compare(plain: Tensor, points: list[QueryScores], score: str, fit: Fit) -> Correction:
    corrected = point_scores(points, score)
    before, after = (values[:, values.mean(dim=0).argmin()] for values in (plain, corrected))
    start = corrected[:, 0] - plain[:, 0]
    dip = find_dip(points, score)
    return Correction(
        fit=fit,
        plain=before.mean().item(),
        lowest=after.mean().item(),
        interval=mean_interval(after - before),
        at_start=start.mean().item(),
        at_start_interval=mean_interval(start),
        dips=dip is not None and dip.below_end is not None,
    )
