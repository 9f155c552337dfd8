"""Tests of a trained model that only computes embeddings."""

from __future__ import annotations

import copy
import re

import pytest
import torch
from mmengine.registry import DefaultScope

from mmfct.registry import MODELS


def build(cfg: dict):
    return MODELS.build(dict(type='mmfct.FrozenEncoder', **cfg))


def test_embeds_with_the_weights_of_the_checkpoint(encoder_cfg, save_checkpoint):
    path, model = save_checkpoint()
    encoder = build(encoder_cfg(checkpoint=path))
    images = torch.randn(5, 3, 6, 6)
    embedding = encoder(images)
    assert embedding.shape == (5, 4)
    torch.testing.assert_close(embedding, model.backbone(images)[0].mean((2, 3)))
    torch.testing.assert_close(encoder.embed(encoder.features(images)), embedding)


def test_default_neck_is_a_global_average_pool(encoder_cfg, save_checkpoint):
    path, model = save_checkpoint()
    cfg = encoder_cfg(checkpoint=path, neck=None)
    images = torch.randn(2, 3, 6, 6)
    assert DefaultScope.get_current_instance() is None  # needs no default scope
    torch.testing.assert_close(build(cfg)(images), model.backbone(images)[0].mean((2, 3)))


@pytest.mark.parametrize(
    'preprocessor', ['ImgDataPreprocessor', 'mmpretrain.SelfSupDataPreprocessor', 'mmpretrain.ClsDataPreprocessor']
)
def test_normalises_images_as_in_training(encoder_cfg, save_checkpoint, preprocessor):
    path, model = save_checkpoint()
    normalization = dict(type=preprocessor, mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], rgb_to_bgr=True)
    if 'Cls' in preprocessor:
        normalization['to_rgb'] = normalization.pop('rgb_to_bgr')
    encoder = build(encoder_cfg(checkpoint=path, data_preprocessor=normalization))
    images = torch.randint(256, (2, 3, 6, 6), dtype=torch.uint8)
    before = images.clone()
    mean, std = torch.tensor([1.0, 2, 3]).view(3, 1, 1), torch.tensor([4.0, 5, 6]).view(3, 1, 1)
    expected = model.backbone((images.flip(1).float() - mean) / std)[0].mean((2, 3))
    if preprocessor == 'ImgDataPreprocessor':  # wants a list from its caller
        images = list(images)
    torch.testing.assert_close(encoder(images), expected)
    if torch.is_tensor(images):
        assert torch.equal(images, before)


@pytest.mark.parametrize(
    'preprocessor', [None, dict(type='mmpretrain.ClsDataPreprocessor', mean=[1.0] * 3, std=[2.0] * 3)]
)
def test_images_stay_where_the_weights_have_moved(encoder_cfg, save_checkpoint, preprocessor):
    # 'meta' stands for a GPU: a preprocessor that was not told would bring the images back to the CPU.
    encoder = build(encoder_cfg(checkpoint=save_checkpoint()[0], data_preprocessor=preprocessor)).to('meta')
    assert encoder(torch.zeros(2, 3, 6, 6, device='meta')).device.type == 'meta'


def test_never_trains(encoder_cfg, save_checkpoint):
    encoder = build(encoder_cfg(checkpoint=save_checkpoint()[0]))
    before = copy.deepcopy(encoder.state_dict())
    assert encoder.train() is encoder
    assert not any(module.training for module in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    encoder(torch.randn(2, 3, 6, 6))
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_the_neck_loads_without_its_projector(encoder_cfg, tmp_path):
    neck = dict(type='mmfct.SideInfoNeck', in_channels=4, out_channels=3, num_layers=1)
    projector = dict(type='mmfct.SideInfoNeck', in_channels=3, out_channels=3)
    trained = torch.nn.ModuleDict(
        dict(
            backbone=MODELS.build(dict(type='ToyBackbone')),
            neck=MODELS.build(dict(neck, projector=projector)),
            head=torch.nn.Linear(3, 2),
        )
    )
    torch.save(trained.state_dict(), tmp_path / 'side.pth')
    encoder = build(encoder_cfg(neck=neck, checkpoint=str(tmp_path / 'side.pth')))
    torch.testing.assert_close(encoder.neck.layers[1].weight, trained['neck'].layers[1].weight)


def test_weights_may_come_with_the_backbone(encoder_cfg, save_checkpoint):
    path, model = save_checkpoint()
    init_cfg = dict(type='Pretrained', checkpoint=path, prefix='backbone.')
    encoder = build(encoder_cfg(backbone=dict(type='ToyBackbone', init_cfg=init_cfg)))
    torch.testing.assert_close(encoder.backbone.conv.weight, model.backbone.conv.weight)
    assert not encoder.training


def test_a_missing_checkpoint(encoder_cfg, tmp_path):
    path = str(tmp_path / 'old.pth')
    with pytest.raises(FileNotFoundError, match=re.escape(f'checkpoint {path!r} does not exist')):
        build(encoder_cfg(checkpoint=path))


def test_a_truncated_checkpoint(encoder_cfg, save_checkpoint, tmp_path):
    data = (tmp_path / save_checkpoint()[0]).read_bytes()
    (tmp_path / 'half.pth').write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match='half.pth.* cannot be read: it is truncated'):
        build(encoder_cfg(checkpoint=str(tmp_path / 'half.pth')))


def test_a_checkpoint_of_another_width(encoder_cfg, save_checkpoint):
    path, _ = save_checkpoint(channels=8)
    with pytest.raises(ValueError, match=r'toy.pth.* has another width: size mismatch for backbone.conv.weight'):
        build(encoder_cfg(channels=4, checkpoint=path))


def test_a_checkpoint_of_another_model(encoder_cfg, tmp_path):
    torch.save({'backbone.stem.weight': torch.ones(1), 'head.weight': torch.ones(1)}, tmp_path / 'vgg.pth')
    message = (
        r"vgg.pth.* is of another model: 5 of 6 .* missing .*1 are not expected \['backbone.stem.weight'\]; `backbone`"
    )
    with pytest.raises(ValueError, match=message):
        build(encoder_cfg(checkpoint=str(tmp_path / 'vgg.pth')))


def test_a_checkpoint_with_more_layers(encoder_cfg, save_checkpoint, tmp_path):
    _, model = save_checkpoint()
    torch.save({**model.state_dict(), 'backbone.conv2.weight': torch.ones(1)}, tmp_path / 'deep.pth')
    with pytest.raises(ValueError, match='0 of 6 weights are missing .*1 are not expected'):
        build(encoder_cfg(checkpoint=str(tmp_path / 'deep.pth')))


@pytest.mark.parametrize('init_cfg', [None, [dict(type='Kaiming', layer='Conv2d')]])
def test_random_weights_are_refused(encoder_cfg, init_cfg):
    message = "`checkpoint` must be given for ToyBackbone: 1 of 6 .* would be random, such as 'backbone.conv.weight'"
    with pytest.raises(ValueError, match=message):
        build(encoder_cfg(backbone=dict(type='ToyBackbone', init_cfg=init_cfg)))


def test_a_random_neck_behind_pretrained_weights_is_refused(encoder_cfg, save_checkpoint):
    init_cfg = dict(type='Pretrained', checkpoint=save_checkpoint()[0], prefix='backbone')
    neck = dict(type='mmfct.SideInfoNeck', in_channels=4, out_channels=3, num_layers=1)
    with pytest.raises(ValueError, match=r"would be random, such as 'neck\."):
        build(encoder_cfg(backbone=dict(type='ToyBackbone', init_cfg=init_cfg), neck=neck))


@pytest.mark.parametrize(
    ('rename', 'message'),
    [
        ('backbone.{}', r"of another model: 5 of 6 .*; `prefix` of `init_cfg` may be 'backbone\.'"),
        ('model.net.{}', r"of another model: 5 of 6 .*; `prefix` of `init_cfg` may be 'model\.net\.'"),
        ('stem_{}', r'of another model: 5 of 6 weights are missing \S+ \S+ and 0 are not expected \[\]$'),
    ],
)
def test_pretrained_weights_under_other_names_are_refused(encoder_cfg, save_checkpoint, tmp_path, rename, message):
    _, model = save_checkpoint()
    weights = {rename.format(name): value for name, value in model.backbone.state_dict().items()}
    weights[rename.format('conv.weight').replace('conv', 'other')] = torch.ones(1)
    torch.save(dict(state_dict=weights), tmp_path / 'odd.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'odd.pth'))
    with pytest.raises(ValueError, match=message):
        build(encoder_cfg(backbone=dict(type='ToyBackbone', init_cfg=init_cfg)))
    if 'may be' in message:  # and what the message advises works
        init_cfg['prefix'] = rename.format('').rstrip('.')
        encoder = build(encoder_cfg(backbone=dict(type='ToyBackbone', init_cfg=init_cfg)))
        torch.testing.assert_close(encoder.backbone.conv.weight, model.backbone.conv.weight)


def test_pretrained_weights_of_another_width_or_depth_are_refused(encoder_cfg, save_checkpoint, tmp_path):
    _, model = save_checkpoint()
    weights = model.backbone.state_dict()
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'backbone.pth'))
    torch.save({**weights, 'fc.weight': torch.ones(1)}, tmp_path / 'backbone.pth')
    cfg = encoder_cfg(backbone=dict(type='ToyBackbone', init_cfg=init_cfg))
    torch.testing.assert_close(build(cfg).backbone.conv.weight, model.backbone.conv.weight)
    with pytest.raises(ValueError, match=r'of `init_cfg` has another width: size mismatch for conv\.weight'):
        build(encoder_cfg(8, backbone=dict(type='ToyBackbone', channels=8, init_cfg=init_cfg)))
    torch.save({**weights, 'conv.1.weight': torch.ones(1)}, tmp_path / 'backbone.pth')
    with pytest.raises(ValueError, match=r"0 of 6 weights are missing \[\] and 1 are not expected \['conv\.1\.weight"):
        build(cfg)


def test_pretrained_weights_of_a_part_leave_the_rest_random(encoder_cfg, save_checkpoint):
    path, _ = save_checkpoint()

    class Half(MODELS.get('ToyBackbone')):
        def __init__(self):
            super().__init__()
            self.bn.init_cfg = dict(type='Pretrained', checkpoint=path, prefix='backbone.bn')

    MODELS.register_module(name='HalfToy', module=Half, force=True)
    with pytest.raises(ValueError, match=r"1 of 6 weights .* would be random, such as 'backbone\.conv\.weight'"):
        build(encoder_cfg(backbone=dict(type='HalfToy')))


@pytest.mark.parametrize('rename', ['module.{}', '_orig_mod.{}', 'module._orig_mod.{}', '_forward_module.module.{}'])
@pytest.mark.parametrize('way', ['checkpoint', 'init_cfg'])
def test_prefixes_of_wrappers_do_not_count(encoder_cfg, save_checkpoint, tmp_path, rename, way):
    _, model = save_checkpoint()
    path = str(tmp_path / 'wrapped.pth')
    torch.save({rename.format(name): value for name, value in model.state_dict().items()}, path)
    if way == 'checkpoint':
        cfg = encoder_cfg(checkpoint=path)
    else:
        init_cfg = dict(type='Pretrained', checkpoint=path, prefix='backbone.')
        cfg = encoder_cfg(backbone=dict(type='ToyBackbone', init_cfg=init_cfg))
    images = torch.randn(2, 3, 6, 6)
    torch.testing.assert_close(build(cfg)(images), model.backbone(images)[0].mean((2, 3)))
