"""Curves that fall, and those that only seem to."""

from __future__ import annotations

import math

import pytest
import torch

from mmfct.evaluation.backfill_dips import curve_bands, find_dip, point_scores
from mmfct.functional import QueryScores


def curve(*means: float, noise: float = 0.1, queries: int = 400) -> list[QueryScores]:
    """Queries whose average precision varies around 22 means, the first two of which do not count."""
    own = torch.rand(queries, 1).double()
    values = torch.tensor(means).double() + own - own.mean() + noise * torch.randn(queries, len(means)).double()
    values[:2] = math.nan
    return [QueryScores(column[:, None].expand(-1, 2), column, ~column.isnan()) for column in values.T]


def bent(start: float, lowest: float, end: float) -> list[float]:
    return [*(start + (lowest - start) * place / 10 for place in range(11)),
            *(lowest + (end - lowest) * place / 11 for place in range(1, 12))]  # fmt: skip


def test_the_curve_that_was_seen():
    """mAP 50.8 -> 40.2 -> 48.3."""
    points = curve(*bent(0.508, 0.402, 0.483))
    dip = find_dip(points, 'map')
    assert 8 <= dip.point <= 12 and dip.lowest == pytest.approx(0.402, abs=0.02)
    assert dip.depth == dip.start - dip.lowest and dip.below_start[0] < dip.depth < dip.below_start[1]
    assert dip.below_start[0] > 0 and dip.below_end[0] > 0
    assert dip.below_end[0] < dip.end - dip.lowest < dip.below_end[1]


def test_curves_that_do_not_fall():
    assert find_dip(curve(*bent(0.3, 0.4, 0.5)), 'map') is None
    assert find_dip(curve(*bent(0.4, 0.4, 0.4), noise=0.0), 'map') is None
    # Falls by less than the noise.
    assert find_dip(curve(*bent(0.400, 0.398, 0.400), noise=0.3), 'map') is None


def test_noise_is_rarely_called_a_dip():
    """The lowest of twenty points is chosen, and yet about one flat curve in twenty, at most, is taken for a dip."""
    found = sum(find_dip(curve(*[0.5] * 22, noise=0.3, queries=150), 'map') is not None for _ in range(60))
    assert found <= 7


def test_a_curve_that_ends_at_its_lowest_is_a_decline():
    dip = find_dip(curve(*bent(0.6, 0.5, 0.4)), 'map')
    assert dip.point == 21 and dip.below_end is None and dip.lowest == dip.end
    assert dip.below_start[0] > 0


def test_queries_that_count_and_bands():
    points = curve(*[0.5] * 22)
    values = point_scores(points, 'map')
    assert values.shape == (398, 22) and values.isfinite().all()
    bands = curve_bands(points, 'map')
    assert len(bands) == 22
    for (low, high), mean in zip(bands, values.mean(dim=0).tolist(), strict=True):
        assert low < mean < high


def test_no_band_leaves_what_a_score_can_be():
    """Nearly all queries are right, so that an interval of equal sides would end above 1."""
    right = torch.ones(100, 22).double()
    right[0, :21] = 0  # and the last point has no spread
    points = [QueryScores(column[:, None], column, column.isfinite()) for column in right.T]
    lows, highs = zip(*curve_bands(points, 'map'), strict=True)
    assert set(highs) == {1.0} and all(0 < low < 0.99 for low in lows[:21]) and lows[21] == 1
