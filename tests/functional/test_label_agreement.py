"""Tests of contrasts between own and other predictions, and of the fit that tells right labels from wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.functional.label_agreement import agreement_weights, contrasts, fit_agreement


def groups(right: int, wrong: int, *, middle: float = -0.4, spread: float = 0.1, seed: int = 0) -> np.ndarray:
    """Mean contrasts of right labels about the middle, then of wrong ones about 0."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(middle, spread, right), rng.normal(0, spread, wrong)]).clip(-1, 1)


@pytest.mark.parametrize('number', [1, 4])
def test_contrasts_are_those_of_a_plain_loop(number):
    own, others = torch.randn(5, 2), torch.randn(number, 5, 2)  # a loss with a negative part, as some have
    found = contrasts(own, others)
    for i in range(5):
        for t in range(2):
            ratios = []
            for k in range(number):
                a, b = own[i, t].item(), others[k, i, t].item()
                ratios.append((a - b) / (abs(a) + abs(b)))
            assert found[i, t].item() == pytest.approx(sum(ratios) / number, rel=1e-4, abs=1e-6)


def test_contrasts_lie_between_minus_one_and_one():
    own = torch.tensor([0.0, 3.0, 0.0, 2.0, 1e-30, 1e30])[:, None]
    others = torch.tensor([2.0, 0.0, 0.0, 2.0, 1e-30, 1e-30])[None, :, None]
    assert contrasts(own, others)[:, 0].tolist() == [-1, 1, 0, 0, 0, 1]


def test_without_other_predictions_there_is_no_contrast():
    assert contrasts(torch.rand(3, 2), torch.zeros(0, 3, 2)).isnan().all()


@pytest.mark.parametrize('unit', [1e-3, 1e3])
def test_the_unit_of_a_loss_is_not_in_its_contrast(unit):
    own, others = torch.rand(20, 3), torch.rand(7, 20, 3)
    torch.testing.assert_close(contrasts(unit * own, unit * others), contrasts(own, others), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('loss', ['absolute', 'squared', 'cross_entropy'])
def test_permuted_labels_have_mean_contrast_zero(loss):
    # Predictions that know their own images well; each label of the second half belongs to another image.
    generator = torch.Generator().manual_seed(0)
    number, classes = 4000, 5
    labels = torch.randint(classes, (number,), generator=generator)
    scores = 4 * torch.eye(classes)[labels] + torch.randn(number, classes, generator=generator)
    values = labels + 0.3 * torch.randn(number, generator=generator)
    half = number // 2
    labels[half:] = labels[half:][torch.randperm(half, generator=generator)]
    functions = dict(
        absolute=lambda rows: (values[rows] - labels).abs(),
        squared=lambda rows: (values[rows] - labels).square(),
        cross_entropy=lambda rows: torch.nn.functional.cross_entropy(scores[rows], labels, reduction='none'),
    )
    rows = torch.randperm(number, generator=generator)  # a batch of other images
    own, others = functions[loss](torch.arange(number)), [functions[loss](rows.roll(k)) for k in range(7)]
    found = contrasts(own[:, None], torch.stack(others)[..., None])[:, 0]
    wrong = found[half:]
    error = wrong.std() / len(wrong) ** 0.5
    assert wrong.mean().abs() < 4 * error and error < 0.03
    assert found[:half].mean() < -0.4


@pytest.mark.parametrize('share', [0.0, 0.1, 0.4, 0.6])
@pytest.mark.parametrize('seed', [0, 1, 2])
def test_two_groups_are_told_apart(share, seed):
    wrong = round(1000 * share)
    right, estimate = fit_agreement(groups(1000 - wrong, wrong, seed=seed))
    assert estimate == pytest.approx(share, abs=0.05)
    assert right.shape == (1000,) and (right >= 0).all() and (right <= 1).all()
    assert right[: 1000 - wrong].mean() > 0.9
    if wrong:
        assert right[1000 - wrong :].mean() < 0.35
    # The sum of what is not right is the estimate: a probability that means what it says.
    assert (1 - right).mean() == pytest.approx(estimate, abs=0.02)


def test_a_label_counts_for_no_more_the_worse_it_agrees():
    values = groups(600, 400)
    right, _ = fit_agreement(values)
    assert (np.diff(right[np.argsort(values)]) <= 1e-9).all()


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_a_network_that_has_learned_nothing_gives_equal_weights(seed):
    weights, share = agreement_weights(groups(0, 1000, seed=seed))
    assert weights == pytest.approx(np.ones(1000), abs=0.05)
    assert share > 0.85


@pytest.mark.parametrize(('wrong', 'expected'), [(600, 0.0), (780, 0.52), (1000, 1.0)])
def test_the_more_labels_look_wrong_the_less_a_contrast_counts(wrong, expected):
    values = groups(10 * (1000 - wrong), 10 * wrong, middle=-0.7)
    right, share = fit_agreement(values)
    assert share == pytest.approx(wrong / 1000, abs=0.03)
    # A contrast above 0 is that of a wrong label for sure: its weight is the doubt about all of them.
    assert right[values >= 0] == pytest.approx(np.clip((share - 0.65) / 0.25, 0, 1))
    assert right[values >= 0] == pytest.approx(expected, abs=0.1)


def test_contrasts_that_are_all_alike():
    for value in (0.0, 0.3, -0.3, -1.0, 1.0):
        weights, share = agreement_weights(np.full(9, value))
        assert weights == pytest.approx(np.ones(9))
        assert share == (0 if value < 0 else 1)


def test_a_single_label_has_weight_one():
    assert agreement_weights([-0.2])[0] == pytest.approx([1.0])
    assert agreement_weights([0.2])[0] == pytest.approx([1.0])


@pytest.mark.parametrize('share', [0.0, 0.3])
def test_weights_have_mean_one_and_the_proportions_of_the_fit(share):
    values = groups(round(500 * (1 - share)), round(500 * share))
    (weights, estimate), fit = agreement_weights(values), fit_agreement(values)
    assert estimate == fit.share and weights.mean() == pytest.approx(1)
    assert weights * fit.right.mean() == pytest.approx(fit.right)


def test_what_is_known_from_elsewhere_multiplies_the_weights():
    values = groups(300, 200)
    prior = np.random.default_rng(0).uniform(0.1, 3, 500)
    expected = fit_agreement(values).right * prior
    weights, share = agreement_weights(values, prior)
    assert weights == pytest.approx(expected / expected.mean()) and share == fit_agreement(values).share


@pytest.mark.parametrize('seed', [0, 1, 2, 3])
def test_an_outlier_among_right_labels_says_nothing_about_the_others(seed):
    right, share = fit_agreement(np.append(groups(200, 0, middle=-0.5, spread=0.15, seed=seed), 0.9))
    assert share < 0.05 and right[:200].mean() > 0.95 and right[200] < 0.5


@pytest.mark.parametrize('seed', [1, 2, 3])
@pytest.mark.parametrize('share', [0.2, 0.4])
def test_wrong_labels_that_are_spread_more_widely_than_right_ones(share, seed):
    wrong, rng = round(500 * share), np.random.default_rng(seed)
    values = np.concatenate([rng.normal(-0.3, 0.05, 500 - wrong), rng.normal(0, 0.2, wrong)]).clip(-1, 1)
    right, estimate = fit_agreement(values)
    assert estimate == pytest.approx(share, abs=0.12)
    assert right[: 500 - wrong].mean() > 0.75 and right[500 - wrong :].mean() < 0.4


@pytest.mark.parametrize('values', [[], [0.1, float('nan')], [0.1, 1.01], [-2.0], [[0.1, 0.2]], [float('inf')]])
def test_values_that_are_no_contrasts_are_refused(values):
    with pytest.raises(ValueError, match=r'`values` must be numbers in \[-1, 1\] of shape \(N,\), got '):
        fit_agreement(values)
