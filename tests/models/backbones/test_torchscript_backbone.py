"""Tests of a TorchScript file as a frozen backbone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmfct.registry import MODELS

# torch advises other formats; the published models are in this one.
pytestmark = pytest.mark.filterwarnings('ignore:.*deprecated.*', 'ignore:.*TorchScript.*')


class Published(nn.Module):
    """Stand-in for a published model; BN tells whether it is in evaluation mode."""

    def __init__(self, pool: bool = True, flatten: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.bn = nn.BatchNorm2d(5)
        self.pool = nn.AdaptiveAvgPool2d(1) if pool else nn.Identity()
        self.flatten = nn.Flatten() if flatten else nn.Identity()

    def forward(self, images):
        return self.flatten(self.pool(self.bn(self.conv(images))))


@pytest.fixture
def build(tmp_path):
    """Function that saves a model and loads it as a backbone."""

    def save_and_build(model: nn.Module):
        path = str(tmp_path / 'model.pt')
        torch.jit.save(torch.jit.script(model), path)
        return MODELS.build(dict(type='mmfct.TorchScriptBackbone', checkpoint=path))

    return save_and_build


@pytest.mark.parametrize('flatten', [False, True])
def test_maps_images_to_the_embedding_of_the_file(build, flatten):
    model = Published(flatten=flatten).eval()
    images = torch.randn(2, 3, 8, 8)
    (embedding,) = build(model)(images)
    assert embedding.shape == (2, 5, 1, 1)
    torch.testing.assert_close(embedding, model(images).reshape(2, 5, 1, 1))


def test_never_trains(build):
    model = build(Published().train())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert not any(module.training for module in model.train().modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    model(torch.randn(2, 3, 8, 8))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_is_an_encoder_without_a_checkpoint(build, tmp_path):
    model = Published().eval()
    build(model)
    backbone = dict(type='mmfct.TorchScriptBackbone', checkpoint=str(tmp_path / 'model.pt'))
    encoder = MODELS.build(dict(type='mmfct.FrozenEncoder', backbone=backbone))
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(encoder(images), model(images).flatten(1))


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match="existing TorchScript file, got 'nowhere.pt'"):
        MODELS.build(dict(type='mmfct.TorchScriptBackbone', checkpoint='nowhere.pt'))


def test_another_format_is_refused(tmp_path):
    path = tmp_path / 'model.pt'
    torch.save(dict(a=torch.ones(1)), path)
    with pytest.raises(
        ValueError, match=r'must be a TorchScript file \(`torch.jit.save`\).*another format or damaged'
    ):
        MODELS.build(dict(type='mmfct.TorchScriptBackbone', checkpoint=str(path)))


def test_a_model_without_an_embedding_per_image_is_refused(build):
    model = build(Published(pool=False))
    with pytest.raises(ValueError, match=r'must map images to .*got \(2, 5, 6, 6\) for 2 images'):
        model(torch.randn(2, 3, 8, 8))


@pytest.mark.filterwarnings('ignore:.*torch.jit')
def test_a_frozen_file_is_refused(tmp_path):
    script = torch.jit.freeze(torch.jit.script(torch.nn.Conv2d(3, 4, 1).eval()))
    torch.jit.save(script, tmp_path / 'frozen.pt')
    with pytest.raises(ValueError, match='must have its weights as parameters, got .*frozen.pt'):
        MODELS.build(dict(type='mmfct.TorchScriptBackbone', checkpoint=str(tmp_path / 'frozen.pt')))
