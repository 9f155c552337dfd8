"""What is read out of a checkpoint's table of instance parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.apis.find_corrupt_labels.learned_weights import read_learned_weights


def make_table(**changes) -> dict:
    table = dict(
        tasks=['seg', 'depth'],
        log_variance=torch.tensor([0.5, -1.0]),
        deviation=torch.tensor([[0.0, 1.0], [2.0, 3.0], [-1.0, 0.5]]),
        fingerprint='sha256:1',
    )
    return dict(instance_task_weights=table | changes)


def test_weights_of_the_plain_form():
    learned = read_learned_weights(make_table(), 'a.pth')
    assert (learned.tasks, learned.fingerprint) == (('seg', 'depth'), 'sha256:1')
    np.testing.assert_allclose(learned.score, [[0, 1], [2, 3], [-1, 0.5]])
    np.testing.assert_allclose(learned.weight, np.exp([[-0.5, 0], [-2.5, -2], [0.5, 0.5]]))
    assert np.isnan(learned.mean_loss).all()


def test_weights_of_other_forms():
    table = make_table(factor=torch.tensor([1.0, 0.5]), exponent=torch.tensor([0.5, 1.0]))
    weight = read_learned_weights(table, 'a.pth').weight
    np.testing.assert_allclose(weight[1], [np.exp(-1.25), 0.5 * np.exp(-2)])


def make_agreement(**changes) -> dict:
    table = dict(
        tasks=['seg', 'depth'],
        contrast_sum=torch.tensor([[-0.2, 0.1], [0.0, 0.3], [0.0, -0.4]]),
        contrast_count=torch.tensor([[0.2, 0.2], [0.0, 0.6], [0.5, 0.8]]),
        weight=torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        fingerprint='sha256:1',
    )
    return dict(instance_task_weights=table | changes)


def test_weights_by_agreement_have_the_mean_contrast_as_their_score():
    learned = read_learned_weights(make_agreement(), 'a.pth')
    np.testing.assert_allclose(learned.score, [[-1, 0.5], [np.nan, 0.5], [0, -0.5]], rtol=1e-6)
    np.testing.assert_allclose(learned.weight, [[1, 2], [3, 4], [5, 6]])
    assert learned.score_name == 'contrast in training'
    assert read_learned_weights(make_table(), 'a.pth').score_name == 'learned parameter'


def test_a_mean_contrast_is_never_beyond_one():
    # Sums and counts are rounded to float32, each by itself.
    one, above = torch.tensor(0.2), torch.tensor(0.2).nextafter(torch.tensor(1.0))
    table = make_agreement(contrast_sum=torch.stack([-above, above]).expand(3, 2), contrast_count=one.expand(3, 2))
    assert read_learned_weights(table, 'a.pth').score.tolist() == [[-1, 1]] * 3


def test_mean_loss_where_there_was_one():
    visits = torch.tensor([[2, 0], [1, 4], [0, 1]], dtype=torch.int32)
    table = make_table(loss_sum=torch.tensor([[1.0, 0.0], [3.0, 2.0], [0.0, 5.0]]), visits=visits)
    mean = read_learned_weights(table, 'a.pth').mean_loss
    np.testing.assert_allclose(mean, [[0.5, np.nan], [3, 0.5], [np.nan, 5]])


@pytest.mark.parametrize(
    ('checkpoint', 'match'),
    [
        ({}, "checkpoint 'a.pth' has no 'instance_task_weights'; one is written by a training with"),
        (dict(instance_task_weights=dict(tasks=[])), r"lacks \['deviation', 'fingerprint', 'log_variance'\]"),
        (
            make_table(deviation=torch.zeros(3, 1)),
            r'a column for each of the tasks .* got `deviation` of shape \(3, 1\)',
        ),
        (make_table(deviation=torch.zeros(3)), r'got `deviation` of shape \(3,\)'),
        (make_table(log_variance=torch.zeros(3)), r'got `log_variance` of shape \(3,\)'),
        (make_agreement(weight=torch.zeros(3)), r'got `weight` of shape \(3,\)'),
        (
            dict(instance_task_weights=dict(tasks=[], contrast_sum=0)),
            r"lacks \['contrast_count', 'fingerprint', 'weight'\]",
        ),
        (
            make_table(deviation=torch.tensor([[0.0, 0.0], [0.0, torch.nan]])),
            "must be finite, got NaN or infinity for 1 of 4 values of `deviation`, the first for task 'depth'",
        ),
    ],
)
def test_tables_that_are_refused(checkpoint, match):
    with pytest.raises(ValueError, match=match):
        read_learned_weights(checkpoint, 'a.pth')
