"""Tests of several encoders side by side."""

from __future__ import annotations

import pytest
import torch

from mmfct.registry import MODELS


def test_embeddings_side_by_side(encoder_cfg, save_checkpoint):
    configs = [encoder_cfg(width, checkpoint=save_checkpoint(f'{width}.pth', width)[0]) for width in (3, 5)]
    joined = MODELS.build(dict(type='mmfct.JoinedEncoder', encoders=configs)).train()
    images = torch.randn(2, 3, 4, 4)
    expected = torch.cat([MODELS.build(dict(type='mmfct.FrozenEncoder', **config))(images) for config in configs], 1)
    torch.testing.assert_close(joined(images), expected)
    assert not any(parameter.requires_grad for parameter in joined.parameters())
    assert not any(module.training for module in joined.modules())


def test_as_side_information(encoder_cfg, save_checkpoint):
    encoders = [encoder_cfg(width, checkpoint=save_checkpoint(f'{width}.pth', width)[0]) for width in (3, 5)]
    old = encoder_cfg(4, checkpoint=save_checkpoint('old.pth', 4)[0])
    side = dict(type='mmfct.JoinedEncoder', encoders=encoders)
    network = MODELS.build(dict(type='mmfct.FrozenEncoders', old=old, side=side))
    assert network(torch.randn(2, 3, 4, 4))['side'].shape == (2, 8)


def test_nothing_to_join():
    with pytest.raises(ValueError, match=r'`encoders` must have at least one config, got \[\]'):
        MODELS.build(dict(type='mmfct.JoinedEncoder', encoders=[]))
