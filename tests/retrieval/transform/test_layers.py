"""The layers of h: training and upgrades agree on their names, order and arithmetic."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import linear

from mmfct.retrieval.transform.layers import (
    BLOCK_LAYERS,
    BN,
    BN_EPS,
    LINEAR,
    PARTS,
    UNCERTAINTY,
    build_perceptron,
    fold_perceptron,
)


def small_variances(module: nn.Module) -> None:
    """Make BN depend on its epsilon."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d):
            norm.running_var.uniform_(0, 1e-5)
            norm.running_mean.normal_()
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)


@pytest.mark.parametrize('out', [None, 3])
def test_a_folded_perceptron_computes_the_same(out):
    perceptron = build_perceptron(4, 6, 5, out=out).eval()
    small_variances(perceptron)
    layers = fold_perceptron({f'mixer.{name}': value for name, value in perceptron.state_dict().items()}, 'mixer')
    assert [layer.relu for layer in layers] == [True, True, False][: 2 if out is None else 3]
    rows = torch.randn(7, 4).double()
    expected = perceptron.double()(rows)
    for weight, bias, relu in layers:
        rows = linear(rows, weight, bias)
        rows = rows.relu() if relu else rows
    torch.testing.assert_close(rows, expected)


def test_layers_stand_where_the_constants_say():
    perceptron = build_perceptron(4, 6, 5)
    assert len(perceptron) == 2 * BLOCK_LAYERS
    for first in (0, BLOCK_LAYERS):
        assert isinstance(perceptron[first + LINEAR], nn.Linear) and perceptron[first + LINEAR].bias is None
        assert isinstance(perceptron[first + BN], nn.BatchNorm1d) and perceptron[first + BN].eps == BN_EPS


def test_the_head_has_these_parts_and_no_other_weights(make_head):
    head = make_head(with_uncertainty=True)
    assert {name.partition('.')[0] for name in head.state_dict()} == {*PARTS, UNCERTAINTY}
    assert {name.partition('.')[0] for name in make_head().state_dict()} == set(PARTS)


def test_the_head_and_the_folded_layers_agree(make_head):
    head = make_head().double()
    small_variances(head)
    folded = {part: fold_perceptron(head.state_dict(), part) for part in PARTS}

    def run(values, part):
        for weight, bias, relu in folded[part]:
            values = linear(values, weight, bias)
            values = values.relu() if relu else values
        return values

    old, side = torch.randn(7, 6).double(), torch.randn(7, 4).double()
    branches = torch.cat([run(old, PARTS[0]), run(side, PARTS[1])], dim=1)
    torch.testing.assert_close(run(branches, PARTS[2]), head(old, side))


def test_missing_weights():
    weights = build_perceptron(4, 6, 5).state_dict()
    weights = {f'mixer.{name}': value for name, value in weights.items()}
    assert fold_perceptron(weights, 'old_branch') == []
    for name in ('mixer.0.weight', 'mixer.4.running_var'):
        with pytest.raises(KeyError, match=name):
            fold_perceptron({key: value for key, value in weights.items() if key != name}, 'mixer')
