"""Tests of linear upgrades."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from mmfct.apis.compare_methods.closed_form import keep, regress, rotate
from mmfct.apis.compare_methods.table import Table
from mmfct.evaluation.embedding_set import sets_of_roles


def table(old, new, side=None) -> Table:
    embeddings = dict(old=old, new=new) | ({} if side is None else dict(side=side))
    return sets_of_roles(embeddings, torch.zeros(len(old), dtype=torch.long), torch.arange(len(old)))


@pytest.mark.parametrize(('old_dims', 'new_dims'), [(5, 5), (5, 8), (8, 5)])
def test_a_rotation_is_found(old_dims, new_dims):
    # Two rotated and moved pictures of the same points, which fill the narrower space.
    points = torch.randn(40, 5)
    old, new = (
        points @ torch.from_numpy(ortho_group.rvs(width, random_state=width + seed)).float()[:5] + seed
        for seed, width in enumerate([old_dims, new_dims], 3)
    )
    result = rotate(table(old, new), table(old[:7], new[:7]))
    torch.testing.assert_close(result.embeddings, new[:7], atol=1e-5, rtol=1e-5)
    assert (result.multiply_adds, result.parameters) == (old_dims * new_dims, (old_dims + 1) * new_dims)


def test_a_rotation_keeps_distances():
    old, new = torch.randn(30, 4), torch.randn(30, 6)
    upgraded = rotate(table(old, new), table(old, new)).embeddings
    torch.testing.assert_close(torch.pdist(upgraded), torch.pdist(old))


def test_a_rotation_is_the_best_of_many():
    old, new = torch.randn(30, 4), torch.randn(30, 4)
    best = (rotate(table(old, new), table(old, new)).embeddings - new).square().sum()
    centred = old - old.mean(0)
    for seed in range(50):
        other = torch.from_numpy(ortho_group.rvs(4, random_state=seed)).float()
        assert best <= (centred @ other + new.mean(0) - new).square().sum()


@pytest.mark.parametrize('use_side', [False, True])
def test_regression_finds_a_linear_map(use_side):
    old, side = torch.randn(60, 4) * torch.tensor([100.0, 1.0, 1.0, 0.01]), torch.randn(60, 3)
    inputs = torch.cat([old, side], 1) if use_side else old
    new = inputs @ torch.randn(inputs.shape[1], 5) + 2
    result = regress(table(old, new, side), table(old[:9], new[:9], side[:9]), use_side=use_side)
    torch.testing.assert_close(result.embeddings, new[:9], atol=0.2, rtol=1e-2)
    assert result.stored_dims == inputs.shape[1] and result.bytes_per_item == 4 * inputs.shape[1]
    assert (result.multiply_adds, result.parameters) == (inputs.shape[1] * 5, (inputs.shape[1] + 1) * 5)


def test_regression_shrinks_where_there_is_nothing_to_learn():
    old, new = torch.randn(40, 30), torch.randn(40, 5) + 1
    result = regress(table(old, new), table(torch.randn(100, 30), torch.zeros(100, 5)), use_side=False)
    plain = torch.linalg.lstsq(torch.cat([old, torch.ones(40, 1)], 1), new).solution
    assert result.embeddings.std(0).mean() < 0.2 * (torch.randn(100, 30) @ plain[:30]).std(0).mean()
    np.testing.assert_allclose(result.embeddings.mean(0), new.mean(0), atol=0.2)


def test_a_constant_dimension():
    old = torch.cat([torch.randn(20, 3), torch.ones(20, 1)], 1)
    result = regress(table(old, old[:, :2]), table(old, old[:, :2]), use_side=False)
    torch.testing.assert_close(result.embeddings, old[:, :2], atol=0.05, rtol=0.05)


def test_leaving_them_as_they_are():
    old = torch.randn(3, 4)
    result = keep(table(old, torch.randn(3, 5)))
    assert result.embeddings is old and result.bytes_per_item == 16 and result.parameters == result.multiply_adds == 0
