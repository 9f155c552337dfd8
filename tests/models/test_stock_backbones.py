"""Backbones of mmpretrain as encoders, tiny ones of each kind of output."""

from __future__ import annotations

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.registry import MODELS as HOST_MODELS
from mmengine.registry import init_default_scope

from mmfct.registry import MODELS

VIT = dict(img_size=16, patch_size=8)
ARCH = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=16)
CONVNEXT = dict(type='ConvNeXt', arch=dict(depths=[1, 1, 1, 1], channels=[8, 8, 8, 16]))
TINY_VIT = dict(
    type='TinyViT',
    arch=dict(channels=[8, 8, 8, 16], num_heads=[1, 1, 1, 2], depths=[1, 1, 1, 1]),
    img_size=(64, 64),
    window_size=[2, 2, 2, 2],
)
SWIN = dict(type='SwinTransformer', arch=dict(embed_dims=8, depths=[1] * 4, num_heads=[1] * 4), pad_small_map=True)
HRNET = {
    f'stage{number}': dict(
        num_modules=1,
        num_branches=number,
        block='BOTTLENECK' if number == 1 else 'BASIC',
        num_blocks=(1,) * number,
        num_channels=tuple(4 * 2**branch for branch in range(number)),
    )
    for number in range(1, 5)
}


@pytest.fixture
def save(tmp_path):
    """Function that saves a backbone as a training does, beside a head, and returns it with the encoder's config."""

    def save(backbone: dict, neck=None) -> tuple[torch.nn.Module, dict]:
        init_default_scope('mmpretrain')
        parts = dict(backbone=MODELS.build(backbone), head=torch.nn.Linear(2, 2))
        if neck is not None:
            parts['neck'] = MODELS.build(neck)
        model = torch.nn.ModuleDict(parts)
        torch.save(dict(state_dict=model.state_dict()), tmp_path / 'final.pth')
        model.train(False)
        return model, dict(backbone=backbone, neck=neck, checkpoint=str(tmp_path / 'final.pth'))

    return save


def embed(cfg: dict, images: torch.Tensor) -> torch.Tensor:
    return MODELS.build(dict(cfg, type='mmfct.FrozenEncoder'))(images)


@pytest.mark.parametrize(
    'backbone',
    [
        dict(type='VisionTransformer', arch=ARCH, **VIT),
        dict(type='VisionTransformer', arch=ARCH, out_type='avg_featmap', **VIT),
        dict(type='DeiT3', arch=ARCH, **VIT),
        dict(type='BEiTViT', arch=ARCH, use_abs_pos_emb=True, **VIT),
        CONVNEXT,
        TINY_VIT,
    ],
    ids=lambda backbone: f'{backbone["type"]}-{backbone.get("out_type", "default")}',
)
def test_vectors_are_the_embedding(save, backbone):
    model, cfg = save(backbone)
    size = 16 if backbone.get('img_size') == 16 else 64
    images = torch.randn(3, 3, size, size)
    last = model['backbone'](images)[-1]
    assert last.shape == (3, 16)
    torch.testing.assert_close(embed(cfg, images), last)


@pytest.mark.parametrize(
    'backbone',
    [
        SWIN,
        dict(CONVNEXT, gap_before_final_norm=False),
        dict(type='VisionTransformer', arch=ARCH, out_type='featmap', **VIT),
        dict(type='ResNet_CIFAR', depth=18, base_channels=4, stem_channels=4),
    ],
    ids=lambda backbone: backbone['type'],
)
def test_maps_are_averaged(save, backbone):
    model, cfg = save(backbone)
    images = torch.randn(3, 3, 16, 16) if 'img_size' in backbone else torch.randn(3, 3, 64, 64)
    last = model['backbone'](images)[-1]
    assert last.dim() == 4
    torch.testing.assert_close(embed(cfg, images), last.mean((2, 3)))


def test_the_two_tokens_of_a_distilled_transformer_are_averaged(save):
    model, cfg = save(dict(type='DistilledVisionTransformer', arch=ARCH, **VIT))
    images = torch.randn(3, 3, 16, 16)
    token, distillation = model['backbone'](images)[-1]
    torch.testing.assert_close(embed(cfg, images), (token + distillation) / 2)


def test_a_list_of_necks_is_applied_in_order(save):
    neck = [
        dict(type='HRFuseScales', in_channels=(4, 8, 16, 32)),
        dict(type='GlobalAveragePooling'),
    ]
    model, cfg = save(dict(type='HRNet', arch=None, extra=HRNET), neck)
    images = torch.randn(2, 3, 64, 64)
    (expected,) = model['neck'](model['backbone'](images))
    torch.testing.assert_close(embed(cfg, images), expected)


def test_all_tokens_are_refused(save):
    _, cfg = save(dict(type='VisionTransformer', arch=ARCH, out_type='raw', **VIT))
    with pytest.raises(ValueError, match=r'`neck` must be given .* got \(2, 5, 16\); .*`out_type`'):
        embed(cfg, torch.randn(2, 3, 16, 16))


def test_two_vectors_of_different_widths_are_refused(save):
    _, cfg = save(dict(type='Conformer', arch='tiny', patch_size=16, init_cfg=None))
    with pytest.raises(ValueError, match=r'`neck` must be given .* got \(\(1, 256\), \(1, 384\)\)'):
        embed(cfg, torch.randn(1, 3, 224, 224))


@HOST_MODELS.register_module(force=True)
class KeepMaps(BaseModule):
    """A neck that leaves maps as they are."""

    def forward(self, feats):
        return feats


def test_a_neck_that_ends_in_maps_is_refused(save):
    _, cfg = save(CONVNEXT | dict(gap_before_final_norm=False), dict(type='mmengine.KeepMaps'))
    message = r'`neck` must end in a vector per image, \(B, D\), got \(2, 16, 2, 2\) of KeepMaps after ConvNeXt'
    with pytest.raises(ValueError, match=message):
        embed(cfg, torch.randn(2, 3, 64, 64))
