"""Other lengths for upgraded vectors: what they change while a gallery is filled up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mmfct.evaluation.backfill_curves import backfill_points
from mmfct.evaluation.backfill_dips import CONFIDENCE, Dip, Interval, find_dip, point_scores
from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.functional import QueryScores
from mmfct.functional.bootstrap import affordable_resamples, bootstrap_interval
from mmfct.functional.lengths import LengthFit, fit_lengths

# Of fewer items, a half says little about the other.
_LEAST_ITEMS = 40


@dataclass(frozen=True)
class Correction:
    """What another length of the upgraded vectors changes, learned on half of the items and measured on the others.

    Args:
        length: Slope and intercept of the new length as a function of the upgraded one, learned on all items.
        plain: Score of the other half as it is, at the lowest point.
        change: Change of that score.
        interval: Interval of the change.
        at_start: Change before anything is recomputed.
        at_start_interval: Interval of that.
        dips: Whether the curve of the score still falls below both ends.
    """

    length: tuple[float, float]
    plain: float
    change: float
    interval: Interval
    at_start: float
    at_start_interval: Interval
    dips: bool

    @property
    def helps(self) -> bool:
        """Whether the lowest point rises by more than the noise, and the start does not fall by more than that."""
        return self.interval[0] > 0 and self.at_start_interval[1] >= 0


@dataclass(frozen=True)
class Lengths:
    """Lengths of upgraded vectors beside those of the new ones of the same items.

    Args:
        upgraded: Mean length of upgraded vectors that are not recomputed.
        new: Mean length of the new ones.
        interval: Interval of the mean difference, new minus upgraded.
        corrections: ``scale`` (one factor) and ``calibrated`` (a linear fit) -> what it changes; empty if there are
            too few items to tell.
    """

    upgraded: float
    new: float
    interval: Interval
    corrections: dict[str, Correction]

    @property
    def best(self) -> str | None:
        """Name of the correction that helps most; ``None`` if none does."""
        useful = [name for name, correction in self.corrections.items() if correction.helps]
        return max(useful, key=lambda name: self.corrections[name].change, default=None)


@dataclass(frozen=True)
class Search:
    """How a gallery is scored."""

    query: EmbeddingSet
    new: EmbeddingSet
    score: str
    distance: str
    exclude: str

    def curve(self, upgraded: EmbeddingSet, kept: np.ndarray, rows: np.ndarray) -> list[QueryScores]:
        """Score a curve of some items alone, of which ``rows``, numbered among these, are not recomputed."""
        options = dict(distance=self.distance, exclude=self.exclude)
        gallery, goal = upgraded.take(kept), self.new.take(kept)
        return backfill_points(self.query, gallery, goal, dict(curve=rows), **options)['curve']


def compare_lengths(upgraded: EmbeddingSet, new: EmbeddingSet, rows: np.ndarray, dip: Dip, search: Search) -> Lengths:
    """Compare the lengths of upgraded and new vectors, and try to correct them.

    Args:
        upgraded: The gallery before.
        new: The same rows by the new model.
        rows: Rows that are not recomputed yet, in the order of the curve.
        dip: Where the curve is lowest.
        search: How a gallery is scored.
    """
    chosen = torch.from_numpy(rows)
    before, after = (torch.linalg.vector_norm(items.embeddings[chosen].double(), dim=1) for items in (upgraded, new))
    fit = fit_lengths(upgraded.embeddings[chosen], new.embeddings[chosen])
    corrections = {}
    if len(rows) >= _LEAST_ITEMS:
        corrections = _try_lengths(upgraded, new, rows, dip, fit, search)
    return Lengths(before.mean().item(), after.mean().item(), _interval(after - before), corrections)


def _try_lengths(
    upgraded: EmbeddingSet, new: EmbeddingSet, rows: np.ndarray, dip: Dip, whole: LengthFit, search: Search
) -> dict[str, Correction]:
    """Learn lengths on half of the rows and score curves of the other half, each with the same queries."""
    learned_on = np.random.default_rng(0).permutation(rows)[: len(rows) // 2]
    half = torch.from_numpy(learned_on)
    fit = fit_lengths(upgraded.embeddings[half], new.embeddings[half])
    kept = np.setdiff1d(np.arange(len(upgraded)), learned_on)
    place = np.full(len(upgraded), -1)
    place[kept] = np.arange(len(kept))
    left = place[rows[place[rows] >= 0]]
    others = torch.from_numpy(kept[left])

    def curve(correct: Callable[[Tensor], Tensor]) -> list[QueryScores]:
        embeddings = upgraded.embeddings.clone()
        embeddings[others] = correct(embeddings[others])
        return search.curve(replace(upgraded, embeddings=embeddings), kept, left)

    plain = point_scores(curve(lambda rows: rows), search.score)
    found = {}
    for name, correct, length in (
        ('scale', fit.scaled, (whole.scale, 0.0)),
        ('calibrated', fit.calibrated, (whole.slope, whole.intercept)),
    ):
        points = curve(correct)
        changes = point_scores(points, search.score) - plain
        lowest, start = changes[:, dip.point], changes[:, 0]
        again = find_dip(points, search.score)
        found[name] = Correction(
            length=length,
            plain=plain[:, dip.point].mean().item(),
            change=lowest.mean().item(),
            interval=_interval(lowest),
            at_start=start.mean().item(),
            at_start_interval=_interval(start),
            dips=again is not None and again.below_end is not None,
        )
    return found


def _interval(values: Tensor) -> Interval:
    return bootstrap_interval(values, confidence=CONFIDENCE, resamples=affordable_resamples(len(values)))
