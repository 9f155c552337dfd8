"""Tests of the neck that makes side-information."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmfct.registry import MODELS


def build(**options) -> nn.Module:
    return MODELS.build(dict(type='mmfct.SideInfoNeck', **options))


PROJECTOR = dict(type='mmpretrain.NonLinearNeck', in_channels=6, hid_channels=7, out_channels=5, num_layers=2)


def test_the_pooled_embedding_of_a_separate_network_is_the_side_information():
    neck = build(in_channels=6, out_channels=6)
    maps = (torch.randn(2, 3, 8, 8), torch.randn(2, 6, 4, 4))
    (side,) = neck(maps)
    torch.testing.assert_close(side, maps[-1].mean((2, 3)))
    assert list(neck.parameters()) == []
    assert torch.equal(neck(list(maps))[0], side)
    assert torch.equal(neck(maps[-1])[0], side)  # one map
    assert torch.equal(neck(side)[0], side)  # pooled already


@pytest.mark.parametrize('with_avg_pool', [True, False])
def test_a_projector_carries_the_contrastive_space(with_avg_pool):
    neck = build(in_channels=6, out_channels=6, projector=dict(PROJECTOR, with_avg_pool=with_avg_pool))
    maps = (torch.randn(4, 6, 3, 3),)
    output = neck(maps)
    assert isinstance(output, tuple) and len(output) == 1
    assert output[0].shape == (4, 5)
    torch.testing.assert_close(output[0], neck.projector((maps[0].mean((2, 3), keepdim=True),))[-1])


def test_side_information_does_not_depend_on_the_projector():
    trained = build(in_channels=6, out_channels=4, num_layers=2, projector=dict(PROJECTOR, in_channels=4))
    used = build(in_channels=6, out_channels=4, num_layers=2)
    weights = {name: value for name, value in trained.state_dict().items() if not name.startswith('projector.')}
    used.load_state_dict(weights)  # strict
    maps = (torch.randn(4, 6, 3, 3),)
    (side,) = used(maps)
    torch.testing.assert_close(trained(maps)[0], trained.projector((side[:, :, None, None],))[-1])


def test_several_stages_of_a_shared_backbone():
    neck = build(in_channels=(2, 3), out_channels=4, in_indices=(0, 2), num_layers=2, hidden_channels=7).eval()
    maps = (torch.randn(5, 2, 8, 8), torch.randn(5, 9, 4, 4), torch.randn(5, 3, 2, 2))
    standardize, *layers = neck.layers
    assert [type(layer) for layer in layers] == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    assert layers[0].weight.shape == (7, 5) and layers[-1].weight.shape == (4, 7)
    standardize.running_mean.normal_()
    standardize.running_var.uniform_(0.5, 2)
    pooled = torch.cat([maps[0].mean((2, 3)), maps[2].mean((2, 3))], dim=1)
    hidden = (pooled - standardize.running_mean) / (standardize.running_var + standardize.eps).sqrt()
    for layer in layers:
        hidden = layer(hidden)
    torch.testing.assert_close(neck(maps)[0], hidden)


def test_stages_of_different_scale_count_alike():
    # One stage is a thousand times as large as the other: its features are standardised like the others.
    neck = build(in_channels=(2, 2), out_channels=3, in_indices=(0, 1), num_layers=1).train()
    maps = (torch.randn(64, 2, 2, 2), 1000 * torch.randn(64, 2, 2, 2))
    outputs = [neck((maps[0], factor * maps[1]))[0] for factor in (1.0, 1e-3)]
    torch.testing.assert_close(*outputs, rtol=1e-3, atol=1e-3)


def test_hidden_layers_are_twice_as_wide_by_default():
    assert build(in_channels=6, out_channels=4, num_layers=3).layers[1].out_features == 8


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(in_channels=(6, 3), out_channels=9), r'`in_channels` must name .* each map .*got \(6, 3\) for \(-1,\)'),
        (dict(in_channels=6, out_channels=6, in_indices=(0, 1)), r'`in_channels` must name .*got 6 for \(0, 1\)'),
        (dict(in_channels=6, out_channels=5), r'`out_channels` must be the sum .*\(6\) when `num_layers` is 0, got 5'),
        (dict(in_channels=6, out_channels=6, num_layers=-1), '`num_layers` must not be negative, got -1'),
    ],
)
def test_arguments_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


@pytest.mark.parametrize('options', [{}, dict(num_layers=2)])
def test_maps_with_other_channels_are_refused(options):
    neck = build(in_channels=6, out_channels=6, **options)
    with pytest.raises(ValueError, match=r'the maps \(-1,\) must have \(6,\) channels, got \(4,\)'):
        neck((torch.zeros(2, 4, 3, 3),))
