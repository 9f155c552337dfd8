"""Tests of the autoencoder."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmfct.models import Autoencoder
from mmfct.registry import MODELS


@MODELS.register_module(force=True)
class OneMap(nn.Module):
    """A backbone of one convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2, padding=1)

    def forward(self, images):
        return (self.conv(images),)


def build(**options) -> Autoencoder:
    neck = dict(type='mmfct.SideInfoNeck', in_channels=6, out_channels=6)
    return Autoencoder(dict(type='OneMap'), 6, **(dict(image_size=16, decoder_channels=8, neck=neck) | options))


@pytest.mark.parametrize(('size', 'channels'), [(16, 8), (24, 16)])
def test_the_image_is_drawn_at_its_size(size, channels):
    model, images = build(image_size=size, decoder_channels=channels), torch.randn(4, 3, size, size)
    code = model(images)
    assert code.shape == (4, 6)
    drawn = model.decoder(code)
    assert drawn.shape == images.shape and model.decoder[2].num_features == channels
    torch.testing.assert_close(model(images, mode='loss')['loss'], nn.MSELoss()(drawn, images))


def test_grey_images():
    model = build(image_channels=1)
    assert model.decoder(torch.randn(2, 6)).shape == (2, 1, 16, 16)


def test_it_learns_what_tells_images_apart():
    model = build()
    images = torch.randn(4, 3, 1, 1).repeat_interleave(4, 0).expand(16, 3, 16, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    first = model(images, mode='loss')['loss'].item()
    for _ in range(60):
        optimizer.zero_grad()
        loss = model(images, mode='loss')['loss']
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2 * first


def test_a_frozen_encoder_takes_backbone_and_neck(tmp_path):
    model = build().eval()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'final.pth')
    neck = dict(type='mmfct.SideInfoNeck', in_channels=6, out_channels=6)
    encoder = dict(
        type='mmfct.FrozenEncoder', backbone=dict(type='OneMap'), neck=neck, checkpoint=str(tmp_path / 'final.pth')
    )
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(MODELS.build(encoder)(images), model(images))


def test_without_a_neck():
    pytest.importorskip('mmpretrain')
    assert build(neck=None)(torch.randn(2, 3, 16, 16)).shape == (2, 6)


def test_bad_input():
    for size in (4, 20):
        with pytest.raises(ValueError, match=f'`image_size` must be a multiple of 8, got {size}'):
            build(image_size=size)
    with pytest.raises(ValueError, match="`mode` must be 'tensor' or 'loss', got 'predict'"):
        build()(torch.zeros(1, 3, 16, 16), mode='predict')
    with pytest.raises(ValueError, match=r'images must be 16 pixels high and wide, got \(16, 8\)'):
        build()(torch.zeros(1, 3, 16, 8))
