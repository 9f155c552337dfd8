"""Errors of points against plain loops, and alignment against scipy and what it must undo."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from mmfct.functional.pose_error import align_similarity, point_errors


@pytest.fixture
def points() -> torch.Tensor:
    return torch.randn(3, 24, 3, dtype=torch.float64)


def test_errors_match_a_plain_loop(points):
    others = torch.randn_like(points)
    expected = [
        np.mean([np.sqrt(sum((a - b) ** 2 for a, b in zip(p, q, strict=True))) for p, q in zip(ps, qs, strict=True)])
        for ps, qs in zip(points.tolist(), others.tolist(), strict=True)
    ]
    np.testing.assert_allclose(point_errors(points, others).numpy(), expected)


def test_alignment_undoes_rotation_scale_and_shift(points):
    rotation = torch.from_numpy(Rotation.random(3, rng=1).as_matrix())
    scale, shift = torch.tensor([0.2, 1.0, 7.0]).double()[:, None, None], torch.randn(3, 1, 3).double()
    torch.testing.assert_close(align_similarity(scale * points @ rotation.mT + shift, points), points)


def test_a_mirror_image_is_not_undone(points):
    mirrored = points * torch.tensor([-1.0, 1, 1])
    aligned = align_similarity(mirrored, points)
    assert (point_errors(aligned, points) > 0.1).all()


def test_no_other_motion_fits_better(points):
    targets = points + 0.3 * torch.randn_like(points)
    aligned = align_similarity(points, targets)
    for source, target, best in zip(points.numpy(), targets.numpy(), aligned.numpy(), strict=True):

        def cost(x, source=source, target=target):
            moved = np.exp(x[0]) * Rotation.from_rotvec(x[1:4]).apply(source) + x[4:]
            return np.square(moved - target).sum()

        found = minimize(cost, np.zeros(7), tol=1e-12)
        assert np.square(best - target).sum() == pytest.approx(found.fun, rel=1e-6)


def test_rotation_matches_scipy(points):
    targets = points + 0.5 * torch.randn_like(points)
    source, target = (value[0] - value[0].mean(0) for value in (points, targets))
    rotation, _ = Rotation.align_vectors(target.numpy(), source.numpy())
    turned = rotation.apply(source.numpy())
    scale = (turned * target.numpy()).sum() / np.square(source.numpy()).sum()
    expected = scale * turned + targets[0].mean(0).numpy()
    np.testing.assert_allclose(align_similarity(points, targets)[0].numpy(), expected, atol=1e-9)


def test_points_that_are_all_one_lie_on_the_mean(points):
    aligned = align_similarity(torch.ones_like(points), points)
    torch.testing.assert_close(aligned, points.mean(1, keepdim=True).expand_as(points))
