"""The embedding and the side-information of an item."""

from __future__ import annotations

import pytest
import torch

from mmfct.models.item_encoder import ItemEncoder
from mmfct.registry import MODELS

IMAGES = torch.randn(3, 3, 6, 6, generator=torch.Generator().manual_seed(0))


def test_an_encoder_alone_has_no_side_information(encoder_cfg):
    items = ItemEncoder.build(encoder_cfg())
    embedding, side_info = items(IMAGES)
    torch.testing.assert_close(embedding, items.encoder(IMAGES))
    assert side_info is None and items.side is None


def test_both_encoders(encoder_cfg, save_checkpoint):
    config, side = (encoder_cfg(width, checkpoint=save_checkpoint(f'{width}.pth', width)[0]) for width in (4, 3))
    vectors = ItemEncoder.build(config, side).to('cpu')(IMAGES.clone().requires_grad_())
    for values, cfg in zip(vectors, (config, side), strict=True):
        torch.testing.assert_close(values, MODELS.build(dict(type='mmfct.FrozenEncoder', **cfg))(IMAGES))
        assert not values.requires_grad


def test_any_encoder_has_an_embedding(encoder_cfg):
    parts = [encoder_cfg(width) for width in (3, 5)]
    vectors = ItemEncoder.build(dict(type='mmfct.JoinedEncoder', encoders=parts))(IMAGES)
    assert vectors.embedding.shape == (3, 8)


@pytest.mark.parametrize('name', ['embedding', 'side'])
def test_vectors_that_are_not_finite_name_the_encoder(encoder_cfg, name):
    items = ItemEncoder.build(encoder_cfg(), encoder_cfg())
    broken = items.side if name == 'side' else items.encoder
    broken.neck.register_forward_hook(lambda module, inputs, output: (output[0] * float('nan'),))
    with pytest.raises(ValueError, match=f'the {name} encoder returned NaN or infinite values for 3 of 3 images'):
        items(IMAGES)
