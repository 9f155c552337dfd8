"""Tests of the ResNet whose last block is narrowed."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.runner import load_checkpoint
from torch import nn
from torchvision.models import resnet50

from mmfct.registry import MODELS

SMALL = dict(depth=18, stem_channels=8, base_channels=8)


def build(**options) -> nn.Module:
    return MODELS.build(dict(type='mmfct.EmbeddingResNet', **options))


def randomize_statistics(model: nn.Module) -> None:
    """Make every BN differ from the identity it is at first, without blowing up the activations."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.2, 1)
            nn.init.normal_(module.bias, 0, 0.1)


class Reference(nn.Module):
    """Stand-in for the backbone of the FCT reference: the same names, shapes and forward pass."""

    def __init__(self, embedding_dims: int = 128, classes: int = 10):
        super().__init__()
        self.model = resnet50(weights=None)
        block = self.model.layer4[-1]
        block.conv3 = nn.Conv2d(512, embedding_dims, 1, bias=False)
        block.bn3 = nn.BatchNorm2d(embedding_dims)
        shortcut = nn.Conv2d(2048, embedding_dims, 1, bias=False)
        block.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(embedding_dims))
        self.model.fc = nn.Conv2d(embedding_dims, classes, 1, bias=False)

    def forward(self, images):
        net = self.model
        maps = net.maxpool(net.relu(net.bn1(net.conv1(images))))
        return net.avgpool(net.layer4(net.layer3(net.layer2(net.layer1(maps)))))


@pytest.fixture(scope='module')
def reference() -> Reference:
    torch.manual_seed(0)
    model = Reference()
    randomize_statistics(model)
    return model.double().eval()


@pytest.fixture(scope='module')
def resnet() -> nn.Module:
    torch.manual_seed(1)
    return build()


def test_last_block_is_that_of_the_paper(resnet):
    block = resnet.layer4[-1]
    assert block.conv3.weight.shape == (128, 512, 1, 1)
    assert block.bn3.num_features == 128
    assert [type(layer) for layer in block.downsample] == [nn.Conv2d, nn.BatchNorm2d]
    assert block.downsample[0].weight.shape == (128, 2048, 1, 1)
    assert block.downsample[1].num_features == 128
    assert block.conv3.bias is None and block.downsample[0].bias is None
    assert resnet.layer4[-2].conv3.out_channels == 2048
    assert resnet.feat_dim == 128


def test_embedding_is_a_non_negative_map(resnet):
    (embedding,) = resnet(torch.randn(2, 3, 64, 96))
    assert embedding.shape == (2, 128, 2, 3)
    assert embedding.min() >= 0 and embedding.max() > 0


def test_state_dict_of_the_reference_gives_its_embedding(resnet, reference):
    model = copy.deepcopy(resnet).double()
    model.eval()
    state_dict = reference.state_dict()
    model.load_state_dict(state_dict)  # strict: every weight is used but the classifier
    assert all(name.startswith('model.') for name in state_dict)  # the caller's dict is left alone
    images = torch.randn(2, 3, 64, 64, dtype=torch.double)
    with torch.no_grad():
        expected = reference(images)
        embedding = model(images)[0].mean((2, 3), keepdim=True)
    assert expected.shape == (2, 128, 1, 1) and expected.std() > 1e-3
    torch.testing.assert_close(embedding, expected, rtol=1e-5, atol=1e-5)


def test_state_dict_of_the_reference_loads_inside_a_model_and_from_a_file(resnet, reference, tmp_path):
    model = nn.ModuleDict(dict(backbone=copy.deepcopy(resnet)))
    model.load_state_dict({f'backbone.{name}': value.float() for name, value in reference.state_dict().items()})
    torch.testing.assert_close(model['backbone'].conv1.weight, reference.model.conv1.weight.float())

    torch.save(reference.state_dict(), tmp_path / 'reference.pth')
    other = copy.deepcopy(resnet)
    load_checkpoint(other, str(tmp_path / 'reference.pth'), map_location='cpu', strict=True)
    torch.testing.assert_close(
        other.layer4[-1].downsample[0].weight, model['backbone'].layer4[-1].downsample[0].weight
    )


def test_own_state_dict_loads(resnet):
    other = build()
    other.load_state_dict(resnet.state_dict())
    torch.testing.assert_close(other.layer4[-1].conv3.weight, resnet.layer4[-1].conv3.weight)


def test_state_dict_of_another_model_is_refused(resnet, reference):
    state_dict = {name: value for name, value in reference.state_dict().items() if 'layer3.2' not in name}
    with pytest.raises(RuntimeError, match='Missing key.*layer3.2.conv1.weight'):
        copy.deepcopy(resnet).load_state_dict(state_dict)


def test_basic_blocks_are_narrowed_too():
    model = build(**SMALL, embedding_dims=5, out_indices=(0, 3))
    block = model.layer4[-1]
    assert block.conv2.weight.shape == (5, 64, 3, 3)
    assert block.downsample[0].weight.shape == (5, 64, 1, 1)
    stem, embedding = model(torch.randn(2, 3, 64, 64))
    assert stem.shape == (2, 8, 16, 16) and embedding.shape == (2, 5, 2, 2)
    assert embedding.min() >= 0
    embedding.sum().backward()
    assert all(parameter.grad is not None for parameter in block.parameters())


def test_a_block_of_the_right_width_stays():
    model = build(**SMALL, embedding_dims=64)
    assert model.layer4[-1].downsample is None
    assert model(torch.randn(2, 3, 64, 64))[0].shape == (2, 64, 2, 2)


def test_resnet_for_small_images():
    model = build(**SMALL, resnet='mmpretrain.ResNet_CIFAR', embedding_dims=6, in_channels=1)
    assert model(torch.randn(2, 1, 16, 16))[0].shape == (2, 6, 2, 2)


@pytest.mark.parametrize(('blocks', 'kept'), [(None, [2, 2, 2, 2]), (1, [1, 1, 1, 1]), (9, [2, 2, 2, 2])])
def test_blocks_per_stage(blocks, kept):
    model = build(**SMALL, embedding_dims=6, blocks_per_stage=blocks)
    assert [len(getattr(model, name)) for name in model.res_layers] == kept
    assert model(torch.randn(2, 3, 64, 64))[0].shape == (2, 6, 2, 2)


def test_one_block_per_stage_keeps_the_stride_of_the_shortcut():
    # The first block of a stage has the stride, and here it is the last one too.
    model = build(**SMALL, embedding_dims=6, blocks_per_stage=1)
    assert model.layer4[-1].downsample[0].stride == (2, 2)
    model = build(depth=50, stem_channels=8, base_channels=8, embedding_dims=6, blocks_per_stage=1)
    assert model(torch.randn(2, 3, 64, 64))[0].shape == (2, 6, 2, 2)


def test_frozen_stages_freeze_the_new_layers():
    model = build(**SMALL, embedding_dims=6, frozen_stages=4)
    assert not any(parameter.requires_grad for parameter in model.parameters())  # before an optimizer sees them
    model.train()
    assert not any(module.training for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    before = copy.deepcopy(model.state_dict())
    model(torch.randn(2, 3, 64, 64))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_stages_that_are_not_frozen_train():
    model = build(**SMALL, embedding_dims=6, frozen_stages=3)
    model.train()
    assert all(parameter.requires_grad for parameter in model.layer4.parameters())
    assert not any(parameter.requires_grad for parameter in model.layer3.parameters())
    assert model.layer4[-1].downsample[1].training


@pytest.mark.parametrize(
    'norm_cfg', [dict(type='GN', num_groups=2), dict(type='BN', eps=1e-3, momentum=0.5), dict(type='SyncBN')]
)
def test_new_layers_have_the_norm_of_the_others(norm_cfg):
    block = build(**SMALL, embedding_dims=6, norm_cfg=norm_cfg).layer4[-1]
    for norm in (block.norm2, block.downsample[1]):
        assert type(norm) is type(block.norm1)
        assert norm.eps == block.norm1.eps
        assert getattr(norm, 'momentum', None) == getattr(block.norm1, 'momentum', None)


def test_initialisation_reaches_the_new_layers():
    model = build(**SMALL, embedding_dims=6)
    block = model.layer4[-1]
    with torch.no_grad():
        block.conv2.weight.fill_(7.0)
        block.downsample[0].weight.fill_(7.0)
    model.init_weights()
    assert block.conv2.weight.std() > 0 and block.downsample[0].weight.std() > 0
    assert block.norm2.weight.eq(0).all()  # the host's `zero_init_residual`


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        (dict(embedding_dims=0), ValueError, '`embedding_dims` must be a positive integer, got 0'),
        (dict(blocks_per_stage=0), ValueError, '`blocks_per_stage` must be a positive integer or None, got 0'),
        (dict(resnet='mmpretrain.VGG', depth=11), ValueError, "`resnet` must name a ResNet .*got 'mmpretrain.VGG'"),
        (dict(depth=19), KeyError, 'invalid depth 19'),
        (dict(depht=18), TypeError, 'depht'),
    ],
)
def test_wrong_arguments(options, error, message):
    with pytest.raises(error, match=message):
        build(**options)
