"""When there is a gap between two models, and what share of it is recovered."""

from __future__ import annotations

import math

import pytest
import torch

from mmfct.evaluation.gap import Gap, measure_gaps, update_gains
from mmfct.functional import MeanScores, QueryScores

NAMES = ('cmc1', 'map')


def queries(cmc: torch.Tensor, precision: torch.Tensor) -> QueryScores:
    return QueryScores(cmc[:, None], precision, ~precision.isnan())


def means(scores: QueryScores) -> MeanScores:
    return MeanScores.from_sums(scores.sums(), (1,))


def test_a_gap_is_open_if_it_is_larger_than_chance():
    generator = torch.Generator().manual_seed(0)
    old = queries(torch.rand(400, generator=generator).double(), torch.rand(400, generator=generator).double())
    noise = 0.3 * torch.randn(400, generator=generator)
    noise -= noise.mean()
    new = queries(old.cmc[:, 0] + 0.1 + noise, old.average_precision + 0.01 + noise)
    gaps = measure_gaps(means(old), means(new), (old, new))
    # The mean of 400 differences with a deviation of 0.3 varies by 0.015.
    assert gaps['cmc1'].is_open and not gaps['map'].is_open
    assert gaps['cmc1'].interval == pytest.approx((0.1 - 0.0294, 0.1 + 0.0294), abs=0.004)
    assert gaps['map'].new - gaps['map'].old == pytest.approx(0.01)
    gains = update_gains(MeanScores(dict.fromkeys(NAMES, gaps['cmc1'].old + 0.05), 400), gaps)
    assert gains['cmc1'] == pytest.approx(0.5) and math.isnan(gains['map'])
    # Of other queries the interval is wider: the mean of 400 numbers from [0, 1] varies by 0.0144.
    apart = measure_gaps(means(old), means(new), (old, new), paired=False)
    assert apart['cmc1'].interval == pytest.approx((0.1 - 0.0490, 0.1 + 0.0490), abs=0.008)
    # The same means without the queries: any difference counts.
    assert measure_gaps(means(old), means(new))['map'].is_open


def test_the_order_of_the_queries_does_not_matter():
    old, new = (queries(torch.rand(50).double(), torch.rand(50).double()) for _ in range(2))
    order = torch.randperm(50)
    turned = [QueryScores(*(column[order] for column in scores)) for scores in (old, new)]
    first, second = measure_gaps(means(old), means(new), (old, new)), measure_gaps(means(old), means(new), (*turned,))
    assert first == second


def test_queries_that_count_in_one_of_the_two_are_left_out():
    old, new = queries(torch.zeros(40), torch.zeros(40)), queries(torch.ones(40), torch.ones(40))
    old.average_precision[:39] = math.nan
    old.cmc[:39] = math.nan
    gaps = measure_gaps(means(old), means(new), (old, new))
    assert gaps['map'].interval == (1, 1)
    old.average_precision[:] = math.nan
    assert measure_gaps(means(old), means(new), (old, new))['map'].interval is None


def test_other_queries_may_be_of_another_number():
    old, new = queries(torch.zeros(40), torch.zeros(40)), queries(torch.ones(30), torch.ones(30))
    assert measure_gaps(means(old), means(new), (old, new), paired=False)['map'].interval == (1, 1)


def test_a_loss_is_told_from_no_gain():
    assert Gap(0.5, 0.4, (-0.2, -0.01)).is_loss and not Gap(0.5, 0.4, (-0.2, 0.01)).is_loss
    assert Gap(0.5, 0.4).is_loss and not Gap(0.5, 0.5).is_loss
    assert Gap(0.5, 0.4).is_closed and Gap(0.5, 0.6, (-0.1, 0.3)).is_closed
    assert not Gap(0.5, 0.6).is_closed and not Gap(0.5, math.nan).is_closed


@pytest.mark.parametrize(('old', 'new'), [(0.3, 0.3), (0.3, 0.2), (math.nan, 0.3), (0.3, math.nan)])
def test_no_gap(old, new):
    gap = Gap(old, new)
    assert not gap.is_open and math.isnan(gap.recovered(0.9))


@pytest.mark.parametrize(
    ('interval', 'mean', 'small'),
    [
        ((0.01, 0.05), 0.69, True),  # three times the gap, or seven times one of 0.01
        ((0.028, 0.032), 0.69, False),
        ((0.01, 0.05), 0.628, False),  # nearly all of any gap
        ((0.01, 0.05), 0.602, False),  # nearly nothing
        ((0.01, 0.05), 0.5, True),
        ((-0.01, 0.07), 0.69, False),  # no gap
        ((0.01, 0.05), math.nan, False),  # not measured
        (None, 0.69, False),
    ],
)
def test_a_gap_that_is_too_small_to_say_which_share_is_recovered(interval, mean, small):
    gap = Gap(0.6, 0.63, interval)
    assert gap.is_small_for(mean) is small
    stated = gap.is_open and not small and not math.isnan(mean)
    assert gap.recovered(mean) == pytest.approx((mean - 0.6) / 0.03 if stated else math.nan, nan_ok=True)
