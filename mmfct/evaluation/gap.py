"""The gap between the old and the new model, of which an upgraded gallery recovers a share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from mmfct.functional import MeanScores, QueryScores, update_gain
from mmfct.functional.bootstrap import affordable_resamples, bootstrap_difference, bootstrap_interval
from mmfct.functional.compatibility import ROUNDING

CONFIDENCE = 0.95
PRECISION = 0.5  # of a share that is stated


class Gap(NamedTuple):
    """The gap in one score that an upgrade can recover.

    There is one if new/new is better than old/old by more than the confidence interval over queries. A share of no
    gap is a quotient of noise.

    Attributes:
        old: Mean score of old/old.
        new: Mean score of new/new.
        interval: Confidence interval of new/new minus old/old, from a bootstrap over the queries, paired if both were
            asked the same ones; ``None`` where only the means are known, of which any difference then counts.
    """

    old: float
    new: float
    interval: tuple[float, float] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is something to recover."""
        return (self.new - self.old if self.interval is None else self.interval[0]) > ROUNDING

    @property
    def is_closed(self) -> bool:
        """Whether it was measured and there is nothing to recover."""
        return not self.is_open and not math.isnan(self.new - self.old)

    @property
    def is_loss(self) -> bool:
        """Whether the new model is worse than the old one, by more than the interval."""
        return (self.new - self.old if self.interval is None else self.interval[1]) < -ROUNDING

    def is_small_for(self, mean: float) -> bool:
        """Whether there is a gap, but one that is too small to say which share of it a mean score recovers.

        It is where the share would be another one by more than `PRECISION` if the gap were as small as its interval
        allows. Near the score of one of the models any gap will do: nothing of it is recovered, or all.
        """
        if not self.is_open or self.interval is None:
            return False
        away = min(abs(mean - self.old), abs(mean - self.new))
        return away / self.interval[0] - away / (self.new - self.old) > PRECISION

    def recovered(self, mean: float) -> float:
        """Return the share that a mean score recovers, the update gain; NaN if there is no gap, or a small one."""
        return math.nan if not self.is_open or self.is_small_for(mean) else update_gain(mean, self.old, self.new)


def measure_gaps(
    old: MeanScores,
    new: MeanScores,
    scores: tuple[QueryScores | None, QueryScores | None] = (None, None),
    *,
    paired: bool = True,
) -> dict[str, Gap]:
    """Measure the gap in every score.

    Args:
        old: Mean scores of old/old.
        new: Mean scores of new/new.
        scores: Scores of the queries in old/old and in new/new, if there are any.
        paired: Whether they are of the same queries, in the same order.

    Returns:
        Name of the score -> gap.
    """
    before, after = map(_columns, scores)
    gaps = {}
    for place, (name, mean) in enumerate(new.means.items()):
        interval = _interval(before[place], after[place], paired=paired) if before and after else None
        gaps[name] = Gap(old.means[name], mean, interval)
    return gaps


def update_gains(upgraded: MeanScores, gaps: Mapping[str, Gap]) -> dict[str, float]:
    """Return the share of each gap that an upgraded gallery recovers, by score; NaN where `Gap.recovered` is."""
    return {name: gaps[name].recovered(mean) for name, mean in upgraded.means.items()}


def _columns(scores: QueryScores | None) -> list[Tensor]:
    """Scores of the queries by place: CMC-k for each k, then average precision."""
    return [] if scores is None else [*scores.cmc.cpu().T, scores.average_precision.cpu()]


def _interval(before: Tensor, after: Tensor, *, paired: bool) -> tuple[float, float] | None:
    """Interval of the difference of two scores; of queries that count, sorted, so that their order is no matter."""
    columns = [after - before] if paired else [before, after]
    columns = [column[column.isfinite()].sort().values for column in columns]
    if not all(map(len, columns)):
        return None
    resamples = affordable_resamples(max(map(len, columns)))
    if paired:
        return bootstrap_interval(columns[0], confidence=CONFIDENCE, resamples=resamples)
    return bootstrap_difference(*columns, confidence=CONFIDENCE, resamples=resamples)
