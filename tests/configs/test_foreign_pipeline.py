"""The pipeline for encoders of torchvision, timm and the authors of FCT, on image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from PIL import Image
from torchvision import transforms
from torchvision.models import resnet18

from mmfct.apis.training.config import load_config
from mmfct.registry import MODELS

BASE = Path(__file__).parents[2] / 'configs/_base_/datasets/imagenet_pillow.py'
SIZES = [(500, 375), (333, 501), (97, 1000), (256, 256), (180, 240), (641, 479)]


def photograph(size: tuple[int, int]) -> Image.Image:
    """Fine structure, which resizing without antialiasing would distort."""
    rng = np.random.default_rng(size[0])
    width, height = size
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def save(image: Image.Image, path: Path, kind: str) -> None:
    if kind == 'rotated.jpg':
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(path, exif=exif, quality=95)
    elif kind == 'palette.png':
        image.quantize(64, Image.Quantize.FASTOCTREE).save(path)
    elif kind == 'grey.jpg':
        image.convert('L').save(path)
    elif kind == 'transparent.png':
        image.putalpha(128)
        image.save(path)
    else:
        image.save(path)


def reference(path: Path, size: int, interpolation) -> torch.Tensor:
    """What torchvision's ImageFolder and the usual transforms make of a file: (1, 3, size, size)."""
    with Image.open(path) as image:
        image = image.convert('RGB')
    steps = [transforms.Resize(size * 8 // 7, interpolation), transforms.CenterCrop(size), transforms.ToTensor()]
    steps.append(transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]))
    return transforms.Compose(steps)(image)[None]


@pytest.fixture(scope='module')
def networks(tmp_path_factory):
    """The same network as torch has it and as one of our encoders."""
    torch.manual_seed(0)
    network = resnet18(weights=None)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    network.fc = torch.nn.Identity()
    path = tmp_path_factory.mktemp('weights') / 'resnet18.pth'
    torch.save({f'backbone.{name}': value for name, value in network.state_dict().items()}, path)
    backbone = dict(type='mmpretrain.ResNet', depth=18, init_cfg=None)
    preprocessor = load_config(BASE).image_preprocessor
    init_default_scope('mmpretrain')
    encoder = MODELS.build(
        dict(type='mmfct.FrozenEncoder', backbone=backbone, data_preprocessor=preprocessor, checkpoint=str(path))
    )
    return network.eval(), encoder


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic'])
@pytest.mark.parametrize(
    'kind', ['plain.jpg', 'plain.png', 'rotated.jpg', 'palette.png', 'grey.jpg', 'transparent.png']
)
def test_outputs_of_image_files_are_those_of_pillow_and_torch(networks, kind, interpolation, tmp_path):
    network, encoder = networks
    init_default_scope('mmpretrain')
    pipeline = Compose(load_config(BASE, dict(image_size=64, interpolation=interpolation)).test_pipeline)
    mode = transforms.InterpolationMode(interpolation)
    for index, size in enumerate(SIZES):
        path = tmp_path / f'{index}_{kind}'
        save(photograph(size), path, kind)
        ours = encoder(pipeline(dict(img_path=str(path), gt_label=0))['inputs'][None])
        with torch.no_grad():
            expected = network(reference(path, 64, mode))
        assert expected.std() > 1e-2
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5, msg=f'{kind} of {size} pixels')


def test_the_pipeline_of_our_own_models_differs(networks, tmp_path):
    network, encoder = networks
    init_default_scope('mmpretrain')
    pipeline = Compose(load_config(BASE.with_name('imagenet.py'), dict(image_size=64)).test_pipeline)
    photograph((500, 375)).save(tmp_path / 'a.png')
    ours = encoder(pipeline(dict(img_path=str(tmp_path / 'a.png'), gt_label=0))['inputs'][None])
    with torch.no_grad():
        expected = network(reference(tmp_path / 'a.png', 64, transforms.InterpolationMode.BILINEAR))
    assert (ours - expected).norm() > 0.05 * expected.norm()


def test_training_images_are_antialiased_too():
    config = load_config(BASE)
    crop = config.train_set.pipeline[1]
    assert (crop.type, crop.backend, crop.interpolation) == ('RandomResizedCrop', 'pillow', 'bilinear')
    assert config.test_set.pipeline == config.test_pipeline
    assert config.train_set.pipeline == config.train_pipeline
    assert load_config(BASE, dict(image_size=96)).test_pipeline[2].crop_size == 96
