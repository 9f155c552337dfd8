"""Tests of a transform at work."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmfct.retrieval.transform import Transform


def reference(description, tensors, old: torch.Tensor, side: torch.Tensor) -> torch.Tensor:
    """Linear, BN and ReLU one after the other, in double precision."""

    def run(part: str, rows: torch.Tensor) -> torch.Tensor:
        layers: list[nn.Module] = []
        widths = description.layers[part]
        for step, (fan_in, fan_out) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            last = part == 'mixer' and step == len(widths) - 2
            layers.append(nn.Linear(fan_in, fan_out, bias=last))
            layers += [] if last else [nn.BatchNorm1d(fan_out, eps=description.norm_eps), nn.ReLU()]
        network = nn.Sequential(*layers)
        own = {name.removeprefix(f'{part}.'): value for name, value in tensors.items() if name.startswith(part)}
        network.load_state_dict(own, strict=False)
        return network.double().eval()(rows.double())

    return run('mixer', torch.cat([run('old_branch', old), run('side_branch', side)], dim=1)).float()


@pytest.mark.parametrize('norm_eps', [1e-5, 0.1])
def test_equals_the_network_before_folding(make_transform, norm_eps):
    description, tensors = make_transform(norm_eps=norm_eps)
    old, side = torch.randn(9, 6), torch.randn(9, 4)
    copies = old.clone(), side.clone()
    upgraded = Transform(description, tensors)(old, side)
    torch.testing.assert_close(upgraded, reference(description, tensors, old, side), rtol=1e-5, atol=1e-4)
    assert torch.equal(old, copies[0]) and torch.equal(side, copies[1])  # left alone


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_half_precision_is_close(make_transform, dtype):
    description, tensors = make_transform()
    old, side = torch.randn(50, 6), torch.randn(50, 4)
    exact = Transform(description, tensors)(old, side)
    close = Transform(description, tensors, dtype=dtype)(old, side)
    assert close.dtype == torch.float32
    assert 0 < (close - exact).norm() < 0.03 * exact.norm()


def test_without_side_information_the_old_embedding_feeds_both_branches(make_transform):
    description, tensors = make_transform(side=None)
    old = torch.randn(3, 6)
    transform = Transform(description, tensors)
    torch.testing.assert_close(transform(old), reference(description, tensors, old, old), rtol=1e-5, atol=1e-4)
    assert torch.equal(transform(old), transform(old, torch.randn(3, 4)))  # a gallery of a chain still has it


def test_log_variance(make_transform):
    description, tensors = make_transform(with_uncertainty=True)
    upgraded = torch.randn(3, 5)
    expected = upgraded @ tensors['uncertainty.weight'][0] + tensors['uncertainty.bias']
    torch.testing.assert_close(Transform(description, tensors).log_variance(upgraded), expected)


def test_load(save_transform):
    path = save_transform()
    transform = Transform.load(path, dtype='bfloat16')
    assert transform.description.name == 'v1_to_v2' and transform.dtype == torch.bfloat16


def test_errors(make_transform):
    description, tensors = make_transform()
    with pytest.raises(ValueError, match="`dtype` must be one of float32, float16, bfloat16, got 'int8'"):
        Transform(description, tensors, dtype='int8')
    transform = Transform(description, tensors)
    with pytest.raises(ValueError, match=r'`side` must be the embeddings of side \(0+\), got None'):
        transform(torch.zeros(1, 6))
    with pytest.raises(ValueError, match="transform 'v1_to_v2' has no log-variance: train with `with_uncertainty`"):
        transform.log_variance(torch.zeros(1, 5))
