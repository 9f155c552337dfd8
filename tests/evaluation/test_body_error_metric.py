"""Joint and surface errors against plain loops."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from mmfct.evaluation import BodyErrorMetric
from mmfct.registry import METRICS


def make_pose(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    return dict(
        rotations=torch.from_numpy(Rotation.random(24, rng=seed).as_matrix()).float(),
        shape=torch.from_numpy(rng.normal(size=10)).float(),
        joints=torch.from_numpy(rng.normal(size=(24, 3))).float(),
        gender=torch.tensor(seed % 2),
    )


@pytest.fixture
def samples() -> list[dict]:
    return [dict(gt_pose=make_pose(i), pred_pose=make_pose(i + 10), img_path=f'{i}.mp4#1') for i in range(4)]


def evaluate(metric: BodyErrorMetric, samples: list[dict]) -> dict[str, float]:
    metric.process(None, samples[:1])
    metric.process(None, samples[1:])
    return metric.evaluate(len(samples))


def test_joint_errors_match_a_plain_loop_in_millimetres(samples):
    direct, aligned = [], []
    # Unrelated poses are nearest as mirror images, which are not allowed; poses that resemble each other are not.
    alike = [dict(gt_pose=make_pose(i), pred_pose=make_pose(i)) for i in range(2)]
    for sample in alike:
        sample['pred_pose']['joints'] += 0.3 * torch.randn(24, 3, generator=torch.Generator().manual_seed(1))
    for number, sample in enumerate([*alike, *samples]):
        true, predicted = (sample[name]['joints'].double().numpy() for name in ('gt_pose', 'pred_pose'))
        true, predicted = true - true[0], predicted - predicted[0]
        direct += [np.linalg.norm(p - t) for p, t in zip(predicted, true, strict=True)]
        # scipy aligns both to a standard form, with reflections.
        standard, moved, _ = procrustes(true, predicted)
        centered = true - true.mean(0)
        scale = np.linalg.norm(centered)
        rotation, _ = Rotation.align_vectors(centered, predicted - predicted.mean(0))
        turned = rotation.apply(predicted - predicted.mean(0))
        factor = (turned * centered).sum() / np.square(turned).sum()
        aligned += np.linalg.norm(factor * turned - centered, axis=1).tolist()
        reflected = np.square(moved - standard).sum() * scale**2
        error = np.square(factor * turned - centered).sum()
        assert error == pytest.approx(reflected) if number < len(alike) else error > 1.01 * reflected
    found = evaluate(BodyErrorMetric(), [*alike, *samples])
    assert found == {
        'pose/mpjpe': pytest.approx(1000 * np.mean(direct)),
        'pose/pa_mpjpe': pytest.approx(1000 * np.mean(aligned)),
    }


@pytest.mark.usefixtures('smplx')
def test_surface_error_matches_a_plain_loop(samples, surreal_root):
    files = {gender: f'{surreal_root}/smpl/SMPL_{gender.upper()}.npz' for gender in ('female', 'male')}
    metric = METRICS.build(dict(type='mmfct.BodyErrorMetric', body=dict(type='mmfct.SmplBody', files=files)))
    errors = []
    for sample in samples:
        surfaces = []
        for name in ('pred_pose', 'gt_pose'):
            pose = sample[name]
            vertices, joints = metric.body(
                pose['rotations'][None], pose['shape'][None], sample['gt_pose']['gender'][None]
            )
            surfaces.append((vertices - joints[:, :1])[0].double().numpy())
        errors.append(np.mean([np.sqrt(np.square(p - q).sum()) for p, q in zip(*surfaces, strict=True)]))
    assert evaluate(metric, samples)['pose/surface_error'] == pytest.approx(1000 * np.mean(errors), rel=1e-5)
    perfect = [dict(gt_pose=sample['gt_pose'], pred_pose=sample['gt_pose']) for sample in samples]
    assert all(value == pytest.approx(0, abs=1e-6) for value in evaluate(metric, perfect).values())


def test_without_a_body_model_the_log_says_why_there_is_no_surface_error(samples, caplog):
    logger = MMLogger.get_instance('surface')
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO):
        found = evaluate(BodyErrorMetric(), samples)
    assert 'pose/surface_error' not in found
    assert 'surface error: not available, since there is no body model' in caplog.text


def test_samples_without_a_pose_do_not_count(samples):
    expected = evaluate(BodyErrorMetric(), samples)
    assert evaluate(BodyErrorMetric(), [dict(pred_pose=make_pose(1)), *samples]) == expected
    with pytest.raises(ValueError, match='`gt_pose` must be there in at least one image, got none in 1 images'):
        evaluate(BodyErrorMetric(), [dict(pred_pose=make_pose(1))])


@pytest.mark.parametrize('part', ['joints', 'rotations', 'shape'])
def test_predictions_that_are_not_finite_are_refused(samples, part):
    samples[2]['pred_pose'][part][3] = torch.nan
    with pytest.raises(ValueError, match="`pred_pose` must be finite, got NaN or infinity for '2.mp4#1'"):
        BodyErrorMetric().process(None, samples)
