"""Find where a gallery gets worse while it is filled up with embeddings of the new model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mmfct.evaluation.scores import scores_by_name
from mmfct.functional import QueryScores
from mmfct.functional.bootstrap import affordable_resamples, bootstrap_interval, simultaneous_intervals
from mmfct.functional.compatibility import ROUNDING

CONFIDENCE = 0.95
# The scores that a gate judges.
WATCHED = ('cmc1', 'map')

Interval = tuple[float, float]


class Dip(NamedTuple):
    """A curve that falls by more than the noise of the queries.

    The intervals of a point between the ends hold for all of these at once, so that it may be chosen by looking.

    Attributes:
        point: Number of the point, of the 22 of a curve: the lowest below both ends, or the last one.
        start: Mean score before anything is recomputed.
        lowest: Mean score at the point.
        end: Mean score when everything is.
        below_start: Interval of the start minus the lowest.
        below_end: Interval of the end minus the lowest; ``None`` for a curve that ends at its lowest, because the new
            model's own gallery is worse than the upgraded one.
    """

    point: int
    start: float
    lowest: float
    end: float
    below_start: Interval
    below_end: Interval | None

    @property
    def depth(self) -> float:
        """Fall from the start to the lowest point."""
        return self.start - self.lowest


def find_dip(points: Sequence[QueryScores], score: str) -> Dip | None:
    """Look for a point below both ends of a curve, and else for an end below the start.

    Args:
        points: Scores of the same queries at each point of a curve.
        score: Name of the score.

    Returns:
        What was found; ``None`` if the curve does not fall by more than the noise.
    """
    values = point_scores(points, score)
    means = values.mean(dim=0)
    start, end = means[0].item(), means[-1].item()
    inner = values[:, 1:-1]
    falls, rises = _intervals(values[:, :1] - inner), _intervals(values[:, -1:] - inner)
    below = (falls[:, 0] > ROUNDING) & (rises[:, 0] > ROUNDING)
    if below.any():
        place = int(means[1:-1].masked_fill(~below, torch.inf).argmin())
        return Dip(place + 1, start, means[place + 1].item(), end, _ends(falls[place]), _ends(rises[place]))
    # One difference, which has not been chosen, and is the same for all orders.
    fall = values[:, 0] - values[:, -1]
    interval = bootstrap_interval(fall, confidence=CONFIDENCE, resamples=affordable_resamples(len(fall)))
    return Dip(len(points) - 1, start, end, end, interval, None) if interval[0] > ROUNDING else None


def curve_bands(points: Sequence[QueryScores], score: str) -> list[Interval]:
    """Confidence intervals of the mean score at each point, within [0, 1], which hold for all points at once."""
    return [_ends(row) for row in _intervals(point_scores(points, score)).clamp(0, 1)]


def point_scores(points: Sequence[QueryScores], score: str) -> Tensor:
    """Return the scores of the queries that count, one column for each point, of shape (Q, P)."""
    counted = points[0].counted
    return torch.stack([scores_by_name(scores, score)[counted].cpu() for scores in points], dim=1)


def _intervals(values: Tensor) -> Tensor:
    ends = simultaneous_intervals(values, confidence=CONFIDENCE, resamples=affordable_resamples(len(values)))
    return torch.stack(ends, dim=1)


def _ends(row: Tensor) -> Interval:
    low, high = row.tolist()
    return low, high
