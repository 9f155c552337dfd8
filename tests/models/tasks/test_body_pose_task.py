"""Pose and shape as a task: the loss of each instance, and predictions that are rotations."""

from __future__ import annotations

import pytest
import torch
from mmengine.structures import BaseDataElement
from scipy.spatial.transform import Rotation

from mmfct.models import BodyPoseTask


def make_sample(*, annotated: bool = True) -> BaseDataElement:
    sample = BaseDataElement()
    if annotated:
        rotations = torch.from_numpy(Rotation.random(24, rng=int(torch.randint(99, ()))).as_matrix()).float()
        pose = BaseDataElement(rotations=rotations, shape=torch.randn(10), joints=torch.randn(24, 3))
        sample.set_data(dict(gt_pose=pose, gender=torch.tensor(0)))
    return sample


def losses_of(task, outputs, samples):
    return task.compare(outputs, task.targets(outputs, samples))


@pytest.fixture
def features() -> tuple[torch.Tensor, ...]:
    return torch.randn(3, 2, 16, 16), torch.randn(3, 8, 4, 4)


@pytest.mark.parametrize(('rotation', 'width'), [('6d', 6), ('vector', 3)])
@pytest.mark.parametrize(('error', 'form'), [('l1', 'laplace'), ('l2', 'gaussian')])
def test_losses_match_a_plain_loop(features, rotation, width, error, form):
    weights = dict(rotations=0.7, shape=0.2, joints=3.0)
    task = BodyPoseTask(8, channels=5, rotation=rotation, error=error, loss_weights=weights)
    assert task.form == form
    values = task(features)
    assert values.shape == (3, 24 * width + 10 + 72)
    samples = [make_sample(), make_sample(annotated=False), make_sample()]
    losses, annotated = losses_of(task, values, samples)
    assert annotated.tolist() == [True, False, True] and losses[1] == 0
    for i in (0, 2):
        predicted = BaseDataElement()
        task.add_prediction(values[i], predicted)
        expected = 0
        for name, weight in weights.items():
            difference = predicted.pred_pose.get(name) - samples[i].gt_pose.get(name)
            expected += weight * (difference.abs() if error == 'l1' else difference**2).mean()
        torch.testing.assert_close(losses[i], expected)


def test_labels_are_compared_with_the_predictions_of_other_images(features):
    task, samples = BodyPoseTask(8, channels=5), [make_sample(), make_sample(annotated=False), make_sample()]
    values = task(features)
    targets = task.targets(values, samples)
    assert targets.shape == (3, 24 * 9 + 10 + 72) and targets[1].isnan().all() and targets[[0, 2]].isfinite().all()
    losses, annotated = task.compare(values.roll(1, 0), targets)
    assert annotated.tolist() == [True, False, True] and losses[1] == 0
    for i in (0, 2):
        expected, _ = losses_of(task, values.roll(1, 0)[i : i + 1], samples[i : i + 1])
        torch.testing.assert_close(losses[i], expected[0])
    assert losses.isfinite().all()


def test_predictions_are_rotations_shape_and_joints(features):
    task, sample = BodyPoseTask(8), BaseDataElement()
    task.add_prediction(10 * torch.randn(226), sample)
    pose = sample.pred_pose
    torch.testing.assert_close(pose.rotations @ pose.rotations.mT, torch.eye(3).expand(24, 3, 3), atol=1e-5, rtol=0)
    assert pose.shape.shape == (10,) and pose.joints.shape == (24, 3)


@pytest.mark.parametrize('rotation', ['6d', 'vector'])
def test_an_untrained_head_is_near_the_pose_at_rest(features, rotation):
    task, sample = BodyPoseTask(8, rotation=rotation), BaseDataElement()
    task.add_prediction(task(features)[0], sample)
    torch.testing.assert_close(sample.pred_pose.rotations, torch.eye(3).expand(24, 3, 3), atol=0.3, rtol=0)


def test_features_are_chosen_and_pooled(features):
    task = BodyPoseTask(2, in_index=0, pool_size=4, channels=6)
    assert task.layers[2].in_features == 2 * 16 and task(features).shape == (3, 226)


def test_every_parameter_gets_a_gradient_without_any_label(features):
    task = BodyPoseTask(8)
    losses, _ = losses_of(task, task(features), [make_sample(annotated=False)] * 3)
    losses.sum().backward()
    assert all(value.grad is not None for value in task.parameters())  # as DDP demands


def test_a_pose_is_no_map():
    assert BodyPoseTask.label_kind == 'pose' and BodyPoseTask(8).label_size(make_sample()) is None


def test_half_precision_is_widened(features):
    task = BodyPoseTask(8)
    losses, _ = losses_of(task, task(features).half(), [make_sample()] * 3)
    assert losses.dtype == torch.float32


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(rotation='euler'), r"`rotation` must be one of \['6d', 'vector'\], got 'euler'"),
        (dict(error='l3'), r"`error` must be one of \['l1', 'l2'\], got 'l3'"),
        (dict(loss_weights=dict(pose=1)), r"`loss_weights` must be for parts from .*, got \{'pose': 1\}"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        BodyPoseTask(8, **options)
