"""The gap between the old and the new model, of which an upgraded gallery recovers a share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from mmfct.functional import MeanScores, QueryScores, update_gain
from mmfct.functional.bootstrap import bootstrap_interval
from mmfct.functional.compatibility import ROUNDING

CONFIDENCE = 0.95
# The end of an interval that decides needs fewer resamples than one that is published.
_RESAMPLES = 2000


class Gap(NamedTuple):
    """The gap in one score that an upgrade can recover.

    There is one if new/new is better than old/old by more than its confidence interval over queries, or, where the
    queries of the two cannot be paired, if it is better at all. Without a gap a share of it is a quotient of noise.

    Attributes:
        old: Mean score of old/old.
        new: Mean score of new/new.
        interval: Confidence interval of new/new minus old/old, from a paired bootstrap over the queries; ``None``
            without paired queries.
    """

    old: float
    new: float
    interval: tuple[float, float] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is something to recover."""
        return (self.new - self.old if self.interval is None else self.interval[0]) > ROUNDING

    def recovered(self, mean: float) -> float:
        """Return the share that a mean score recovers, the update gain; NaN if there is no gap."""
        return update_gain(mean, self.old, self.new) if self.is_open else math.nan


def measure_gaps(
    old: MeanScores, new: MeanScores, paired: tuple[QueryScores | None, QueryScores | None] = (None, None)
) -> dict[str, Gap]:
    """Measure the gap in every score.

    Args:
        old: Mean scores of old/old.
        new: Mean scores of new/new.
        paired: Scores of the same queries, in the same order, in old/old and in new/new, if there are any.

    Returns:
        Name of the score -> gap.
    """
    before, after = (_columns(scores) for scores in paired)
    gaps = {}
    for place, (name, mean) in enumerate(new.means.items()):
        interval = None
        if before and after:
            differences = after[place] - before[place]
            # Of queries that count in both; sorted, so that the order of the queries does not matter.
            differences = differences[differences.isfinite()].sort().values
            if len(differences):
                interval = bootstrap_interval(differences, confidence=CONFIDENCE, resamples=_RESAMPLES)
        gaps[name] = Gap(old.means[name], mean, interval)
    return gaps


def update_gains(upgraded: MeanScores, gaps: Mapping[str, Gap]) -> dict[str, float]:
    """Return the share of each gap that an upgraded gallery recovers, by score; NaN where there is no gap."""
    return {name: gaps[name].recovered(mean) for name, mean in upgraded.means.items()}


def _columns(scores: QueryScores | None) -> list[Tensor]:
    """Scores of the queries by place: CMC-k for each k, then average precision."""
    return [] if scores is None else [*scores.cmc.cpu().T, scores.average_precision.cpu()]
