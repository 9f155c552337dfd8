"""Files in the format of the FCT reference, by stand-ins with its names: their weights load into our models."""

from __future__ import annotations

import pickle
import re
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn
from torchvision.models import resnet50

from mmfct.registry import MODELS
from mmfct.utils.checkpoint import load_checkpoint, load_state_dict, load_weights

# The stand-ins are saved as the reference's are; what torch says about that is not ours.
pytestmark = pytest.mark.filterwarnings('ignore:.*torch.jit')
OLD, SIDE, NEW, HIDDEN = 128, 64, 96, 32
CLOSE = dict(rtol=1e-5, atol=1e-5)


class Backbone(nn.Module):
    """ResNet-50 whose last block has D outputs and a shortcut of its own, and a classifier as 1x1 convolution."""

    def __init__(self, dims: int):
        super().__init__()
        self.model = resnet50(weights=None)
        block = self.model.layer4[-1]
        block.conv3 = nn.Conv2d(512, dims, 1, bias=False)
        block.bn3 = nn.BatchNorm2d(dims)
        block.downsample = nn.Sequential(nn.Conv2d(2048, dims, 1, bias=False), nn.BatchNorm2d(dims))
        self.model.fc = nn.Conv2d(dims, 10, 1, bias=False)

    def forward(self, images):
        maps = self.model.maxpool(self.model.relu(self.model.bn1(self.model.conv1(images))))
        maps = self.model.layer4(self.model.layer3(self.model.layer2(self.model.layer1(maps))))
        return self.model.avgpool(maps)


class Block(nn.Module):
    """1x1 convolution, and BN and ReLU but in the last one, which has a bias instead."""

    def __init__(self, fan_in: int, fan_out: int, last: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(fan_in, fan_out, 1, bias=last)
        self.normalizer = nn.Identity() if last else nn.BatchNorm2d(fan_out)
        self.nonlinearity = nn.Identity() if last else nn.ReLU()

    def forward(self, maps):
        return self.nonlinearity(self.normalizer(self.conv(maps)))


class Transformation(nn.Module):
    """MLP_BN_SIDE_PROJECTION: (old (B, D, 1, 1), side (B, S, 1, 1)) -> (B, D', 1, 1)."""

    def __init__(self, old: int = OLD, side: int = SIDE, new: int = NEW, hidden: int = HIDDEN):
        super().__init__()
        self.p1 = nn.Sequential(Block(old, 2 * old), Block(2 * old, 2 * new))
        self.p2 = nn.Sequential(Block(side, 2 * side), Block(2 * side, 2 * new))
        self.mixer = nn.Sequential(Block(4 * new, hidden), Block(hidden, hidden), Block(hidden, new, last=True))

    def forward(self, old, side):
        return self.mixer(torch.cat([self.p1(old), self.p2(side)], dim=1))


class FastFill(Transformation):
    """A transformation that also returns a log-variance (B, 1, 1, 1) of every upgraded embedding."""

    def __init__(self, **widths):
        super().__init__(**widths)
        self.uncertainty_head = nn.Conv2d(NEW, 1, 1)

    def forward(self, old, side):
        upgraded = self.mixer(torch.cat([self.p1(old), self.p2(side)], dim=1))
        return torch.cat([upgraded, self.uncertainty_head(upgraded)], dim=1)


class TransformedModel(nn.Module):
    """images -> (B, D', 1, 1) by the old model, its side-information and the transformation."""

    def __init__(self, old_model: nn.Module, side_info_model: nn.Module, transformation: nn.Module):
        super().__init__()
        self.old_model, self.side_info_model, self.transformation = old_model, side_info_model, transformation

    def forward(self, images):
        return self.transformation(self.old_model(images), self.side_info_model(images))


@pytest.fixture(scope='module')
def files(tmp_path_factory) -> dict[str, str]:
    """The reference's three kinds of files, with random weights and BN statistics."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp('reference')
    old, side, transformation = Backbone(OLD), Backbone(SIDE), Transformation()
    models = dict(old=old, transformation=transformation, transformed=TransformedModel(old, side, transformation))
    models['fastfill'] = FastFill()
    for module in [*models['transformed'].modules(), *models['fastfill'].modules()]:
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.2, 1)
            nn.init.normal_(module.bias, 0, 0.1)
    paths = {}
    for name, model in models.items():
        paths[name] = str(folder / f'{name}.pt')
        torch.jit.save(torch.jit.script(model.eval()), paths[name])
    return paths


def run(path: str, *inputs: torch.Tensor) -> torch.Tensor:
    """What the file itself computes."""
    with torch.no_grad():
        return torch.jit.load(path)(*inputs).flatten(1)


def head_cfg(**options) -> dict:
    widths = dict(old_dims=OLD, side_dims=SIDE, new_dims=NEW, hidden_dims=HIDDEN)
    return dict(type='mmfct.TransformationHead') | widths | options


def encoder_cfg(**options) -> dict:
    backbone = dict(type='mmfct.EmbeddingResNet', depth=50, embedding_dims=OLD)
    return dict(type='mmfct.FrozenEncoder', backbone=backbone) | options


def test_names_are_those_of_the_reference(files):
    names = set(load_state_dict(files['transformation']))
    assert {'p1.0.conv.weight', 'p2.1.normalizer.running_var', 'mixer.2.conv.bias'} <= names
    assert load_state_dict(files['transformation'])['mixer.0.conv.weight'].shape == (HIDDEN, 4 * NEW, 1, 1)
    names = set(load_state_dict(files['transformed']))
    assert {'old_model.model.layer4.2.downsample.1.bias', 'transformation.p1.1.conv.weight'} <= names


@pytest.mark.parametrize('form', ['file', 'state dict'])
def test_a_transformation_loads_into_our_head(files, form, tmp_path):
    path = files['transformation']
    if form == 'state dict':
        path = str(tmp_path / 'transformation.pth')
        torch.save(torch.jit.load(files['transformation']).state_dict(), path)
    head = MODELS.build(head_cfg())
    state_dict = load_state_dict(path)
    head.load_state_dict(state_dict)  # strict: nothing is missing and nothing is left
    assert 'p1.0.conv.weight' in state_dict  # the caller's dict is left alone
    old, side = torch.randn(16, OLD), torch.randn(16, SIDE)
    expected = run(files['transformation'], old[:, :, None, None], side[:, :, None, None])
    assert expected.std() > 1e-2
    torch.testing.assert_close(head.eval()(old, side), expected, **CLOSE)


@pytest.mark.parametrize('kind', ['transformation', 'transformed'])
@pytest.mark.parametrize('way', ['weights', 'load_from'])
def test_a_transformation_loads_into_the_model_of_the_last_stage(files, kind, way, tmp_path):
    cfg = dict(type='mmfct.ForwardTransform', head=head_cfg())
    if way == 'weights':
        model = MODELS.build(cfg)
        load_weights(model, load_state_dict(files[kind]), files[kind])
    else:
        runner = Runner(cfg, str(tmp_path), load_from=f'torchscript://{files[kind]}', log_level='ERROR')
        runner.load_or_resume()
        model = runner.model
    old, side = torch.randn(4, OLD), torch.randn(4, SIDE)
    expected = run(files['transformation'], old[:, :, None, None], side[:, :, None, None])
    torch.testing.assert_close(model.eval()(dict(old=old, side=side)), expected, **CLOSE)


@pytest.mark.parametrize('kernel', [True, False], ids=['1x1 convolution', 'linear'])
@pytest.mark.parametrize('inside', ['', 'transformation.'], ids=['alone', 'in a transformed model'])
def test_the_uncertainty_of_fastfill_loads(files, kernel, inside):
    state_dict = load_state_dict(files['fastfill'])
    weight = state_dict['uncertainty_head.weight']
    assert weight.shape == (1, NEW, 1, 1)
    if not kernel:
        state_dict['uncertainty_head.weight'] = weight.flatten(1)
    model = MODELS.build(dict(type='mmfct.ForwardTransform', head=head_cfg(with_uncertainty=True)))
    load_weights(model, {f'{inside}{name}': value for name, value in state_dict.items()}, files['fastfill'])
    head = MODELS.build(head_cfg(with_uncertainty=True))
    head.load_state_dict(state_dict)  # strict: nothing is missing and nothing is left
    old, side = torch.randn(4, OLD), torch.randn(4, SIDE)
    expected = run(files['fastfill'], old[:, :, None, None], side[:, :, None, None])
    for loaded in (head.eval(), model.eval().head):
        upgraded = loaded(old, side)
        torch.testing.assert_close(upgraded, expected[:, :-1], **CLOSE)
        torch.testing.assert_close(loaded.log_variance(upgraded), expected[:, -1], **CLOSE)


def test_names_that_are_not_the_reference_s_stay(files):
    state_dict = {'head.uncertainty.weight': torch.ones(1, NEW), 'uncertainty_heads.weight': torch.ones(1)}
    model = MODELS.build(dict(type='mmfct.ForwardTransform', head=head_cfg(with_uncertainty=True)))
    result = model.load_state_dict(state_dict, strict=False)
    assert result.unexpected_keys == ['uncertainty_heads.weight']
    assert (model.head.uncertainty.weight == 1).all()


def test_a_transformation_of_another_width_is_refused(files):
    model = MODELS.build(dict(type='mmfct.ForwardTransform', head=head_cfg(old_dims=SIDE)))
    with pytest.raises(ValueError, match='is of another model: size mismatch for head.old_branch.0'):
        load_weights(model, load_state_dict(files['transformation']), files['transformation'])


@pytest.mark.parametrize('way', ['checkpoint', 'init_cfg'])
def test_a_backbone_loads_into_our_resnet(files, way):
    cfg = encoder_cfg(checkpoint=files['old'])
    if way == 'init_cfg':
        init_cfg = dict(type='Pretrained', checkpoint=f'torchscript://{files["old"]}')
        cfg = encoder_cfg(backbone=dict(cfg['backbone'], init_cfg=init_cfg))
    images = torch.randn(3, 3, 64, 64)
    expected = run(files['old'], images)
    assert expected.shape == (3, OLD) and expected.std() > 1e-2
    torch.testing.assert_close(MODELS.build(cfg)(images), expected, **CLOSE)


def test_the_snippet_of_the_readme(files, tmp_path, monkeypatch):
    readme = Path(__file__).parents[2] / 'configs/fct/README.md'
    blocks = re.findall(r'```python\n(.*?)```', readme.read_text(), re.S)
    own, reference = (block for block in blocks if 'encoders' in block)
    names: dict = {}
    exec(own, names)
    exec(reference, names)
    assert names['encoders'].pop('_delete_')
    monkeypatch.chdir(tmp_path)
    init_default_scope('mmpretrain')  # as in our configs
    for name in ('old.pt', 'side.pt'):
        shutil.copy(files['old'], name)
    new = MODELS.build(names['encoders']['new']['backbone'])
    torch.save({f'backbone.{name}': value for name, value in new.state_dict().items()}, 'new.pth')
    encoders = MODELS.build(dict(type='mmfct.FrozenEncoders', **names['encoders']))
    embeddings = encoders(torch.randint(256, (2, 3, 64, 64)).float())
    torch.testing.assert_close(embeddings['side'], embeddings['old'], **CLOSE)
    assert embeddings['new'].shape == (2, OLD)
    assert names['load_from'].startswith('torchscript://')


def test_a_backbone_of_another_width_is_refused(files):
    backbone = dict(type='mmfct.EmbeddingResNet', depth=50, embedding_dims=SIDE)
    with pytest.raises(ValueError, match='old.pt. has another width: size mismatch for backbone.layer4.2.conv3'):
        MODELS.build(encoder_cfg(backbone=backbone, checkpoint=files['old']))


def test_a_pickle_inside_of_a_torchscript_file_does_not_run(files, tmp_path):
    made, path = tmp_path / 'made', tmp_path / 'hostile.pt'

    class Hostile:
        def __reduce__(self):
            return Path.touch, (made,)

    with zipfile.ZipFile(files['transformation']) as source, zipfile.ZipFile(path, 'w') as target:
        for name in source.namelist():
            hostile = name.endswith(('/data.pkl', '/constants.pkl'))
            target.writestr(name, pickle.dumps(Hostile(), 2) if hostile else source.read(name))
    with pytest.raises(ValueError, match='must be a TorchScript file.*hostile.pt.*another format or damaged'):
        load_checkpoint(path)
    assert not made.exists()
    with zipfile.ZipFile(path) as archive:  # the test can fail
        pickle.loads(archive.read(next(name for name in archive.namelist() if name.endswith('/data.pkl'))))
    assert made.exists()
