"""Tests of the frozen encoders of an upgrade."""

from __future__ import annotations

import copy

import pytest
import torch

from mmfct.registry import MODELS

IMAGES = torch.randn(3, 3, 6, 6, generator=torch.Generator().manual_seed(0))
SIDE_NECK = dict(type='mmfct.SideInfoNeck', in_channels=4, out_channels=3, num_layers=1)


def build(**encoders):
    return MODELS.build(dict(type='mmfct.FrozenEncoders', **encoders))


@pytest.fixture
def save_side(tmp_path, save_checkpoint):
    """Function that saves a neck trained beside the backbone of a model."""

    def save(model) -> str:
        neck = MODELS.build(SIDE_NECK)
        torch.save(torch.nn.ModuleDict(dict(backbone=model.backbone, neck=neck)).state_dict(), tmp_path / 'side.pth')
        return str(tmp_path / 'side.pth')

    return save


def test_every_role_has_its_embedding(encoder_cfg, save_checkpoint, backbone_calls):
    paths = {
        role: save_checkpoint(f'{role}.pth', channels)[0] for role, channels in dict(old=4, side=3, new=5).items()
    }
    cfgs = {
        role: encoder_cfg(channels, checkpoint=paths[role]) for role, channels in dict(old=4, side=3, new=5).items()
    }
    encoders = build(**cfgs)
    assert encoders.roles == ('old', 'side', 'new')
    embeddings = encoders(IMAGES)
    assert {role: tuple(embedding.shape) for role, embedding in embeddings.items()} == dict(
        old=(3, 4), side=(3, 3), new=(3, 5)
    )
    assert backbone_calls() == 3
    for role, cfg in cfgs.items():
        alone = MODELS.build(dict(type='mmfct.FrozenEncoder', **cfg))
        torch.testing.assert_close(embeddings[role], alone(IMAGES))


def test_new_and_side_may_be_absent(encoder_cfg):
    encoders = build(old=encoder_cfg(), new=None, side=None)
    assert encoders.roles == ('old',) and encoders(IMAGES).keys() == {'old'}


def test_a_shared_backbone_runs_once(encoder_cfg, save_checkpoint, save_side, backbone_calls):
    old_path, model = save_checkpoint('old.pth')
    side = dict(shares='old', neck=SIDE_NECK, checkpoint=save_side(model))
    old = encoder_cfg(checkpoint=old_path)
    encoders = build(old=old, side=side)
    embeddings = encoders(IMAGES)
    assert backbone_calls() == 1
    torch.testing.assert_close(embeddings['side'], encoders.encoders['side'](IMAGES))
    assert embeddings['side'].shape == (3, 3)
    assert side['shares'] == 'old' and 'neck' in old  # the caller's configs are left alone


def test_a_neck_trained_beside_another_old_model_is_refused(encoder_cfg, save_checkpoint, save_side):
    old_path, _ = save_checkpoint('old.pth')
    _, other = save_checkpoint('other.pth')
    side = dict(shares='old', neck=SIDE_NECK, checkpoint=save_side(other))
    message = "was trained beside another old model: [0-9] weights of its backbone differ, such as 'conv.weight'"
    with pytest.raises(ValueError, match=message):
        build(old=encoder_cfg(checkpoint=old_path), side=side)


def test_a_shared_side_with_a_backbone_of_its_own_is_refused(encoder_cfg, tmp_path):
    backbone, path = dict(type='mmpretrain.LeNet5'), str(tmp_path / 'lenet.pth')
    torch.save({f'backbone.{name}': value for name, value in MODELS.build(backbone).state_dict().items()}, path)
    with pytest.raises(ValueError, match='was trained beside another old model: 6 weights'):
        build(old=encoder_cfg(), side=dict(shares='old', backbone=backbone, checkpoint=path))


def test_only_the_old_encoder_is_shared(encoder_cfg):
    with pytest.raises(ValueError, match=r"`side\['shares'\]` must be 'old', .*got 'new'"):
        build(old=encoder_cfg(), new=encoder_cfg(), side=dict(shares='new', neck=SIDE_NECK))


def test_nothing_trains_or_changes(encoder_cfg):
    encoders = build(old=encoder_cfg(), new=encoder_cfg(), side=encoder_cfg()).train()
    assert not any(module.training for module in encoders.modules())
    assert not any(parameter.requires_grad for parameter in encoders.parameters())
    before = copy.deepcopy(encoders.state_dict())
    embeddings = encoders(IMAGES.clone().requires_grad_())
    assert not any(embedding.requires_grad for embedding in embeddings.values())
    assert all(torch.equal(value, before[name]) for name, value in encoders.state_dict().items())


@pytest.mark.parametrize('role', ['old', 'side', 'new'])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_embeddings_that_are_not_finite_name_the_encoder(encoder_cfg, role, value):
    encoders = build(old=encoder_cfg(), new=encoder_cfg(), side=encoder_cfg())
    handle = encoders.encoders[role].neck.register_forward_hook(
        lambda module, inputs, output: (output[0].index_fill(0, torch.tensor([1]), value),)
    )
    with pytest.raises(ValueError, match=f'the {role} encoder returned NaN or infinite values for 1 of 3 images'):
        encoders(IMAGES)
    handle.remove()
    encoders(IMAGES)
