"""Models published as TorchScript files in every role of a config, from training to an upgraded gallery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mmfct.apis.export_transform import export_transform
from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.test import test as run_test
from mmfct.apis.training.train import train
from mmfct.apis.upgrade_gallery import upgrade_gallery
from mmfct.retrieval import Gallery

pytestmark = pytest.mark.filterwarnings('ignore:.*torch.jit')
ROOT = Path(__file__).parents[1]
WIDTHS = dict(old=6, side=4, new=8)

# Nothing is trained but h: there are no prerequisites.
CONFIG = """
_base_ = '{root}/configs/fct/resnet50_imagenet.py'
prerequisites = []
normalization = dict(_base_.normalization, type='ClsDataPreprocessor')
encoders = dict(
    _delete_=True,
    **{{
        role: dict(
            backbone=dict(type='mmfct.TorchScriptBackbone', checkpoint=f'{folder}/{{role}}.pt'),
            data_preprocessor=normalization,
        )
        for role in ('old', 'side', 'new')
    }},
)
model = dict(
    head=dict(old_dims={old}, side_dims={side}, new_dims={new}, hidden_dims=16), encoders=encoders
)
train_dataloader = dict(dataset=dict(encoders=encoders))
test_dataloader = dict(dataset=dict(encoders=encoders))
"""
TINY = dict(image_size=32, transform_epochs=2, warmup_epochs=1, num_views=1, num_workers=0)


class Published(nn.Module):
    """images (B, 3, H, W) -> (B, D, 1, 1)."""

    def __init__(self, width: int):
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(3, width, 7, 4), nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, images):
        return self.model(images)


@pytest.fixture(scope='module')
def published(tmp_path_factory, imagenet_root, plain_config_text) -> tuple[Path, dict, dict]:
    """Folder with three files and the training of h on them, the options of that training, and its metrics."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp('published')
    for role, width in WIDTHS.items():
        torch.jit.save(torch.jit.script(Published(width).eval()), str(folder / f'{role}.pt'))
    (folder / 'config.py').write_text(CONFIG.format(root=ROOT, folder=folder, **WIDTHS))
    options = TINY | dict(data_root=imagenet_root, work_root=str(folder / 'work'))
    return folder, options, train(str(folder / 'config.py'), TrainingOptions(cfg_options=options))


def final(folder: Path) -> str:
    return str(folder / 'work/resnet50_imagenet/final.pth')


def test_h_is_trained_on_published_models(published):
    folder, _, metrics = published
    assert metrics['compatibility/num_queries'] == 12
    assert all(0 <= metrics[f'compatibility/{pair}_map'] <= 1 for pair in ('old/old', 'new/upgraded', 'new/new'))
    weights = torch.load(final(folder), weights_only=True)['state_dict']
    assert all(name.startswith('head.') for name in weights)  # h alone


def test_a_gallery_of_a_published_model_is_upgraded(published, tmp_path):
    folder, options, _ = published
    config = str(folder / 'config.py')
    description = export_transform(config, final(folder), str(tmp_path / 'h'), cfg_options=options)
    assert [model.name for model in (description.old, description.side, description.new)] == ['old', 'side', 'new']
    old = extract_gallery(config, str(folder / 'old.pt'), str(tmp_path / 'old'), cfg_options=options)
    upgrade_gallery(str(tmp_path / 'old'), [str(tmp_path / 'h')], str(tmp_path / 'upgraded'))
    new = extract_gallery(config, str(folder / 'new.pt'), str(tmp_path / 'new'), role='new', cfg_options=options)
    upgraded = Gallery(tmp_path / 'upgraded')
    assert upgraded.column('embedding').shape == new.column('embedding').shape == (12, 8)
    assert old.column('side_info').shape == (12, 4) and np.isfinite(upgraded.column('embedding')).all()


def test_a_checkpoint_may_be_torchscript_too(published, tmp_path):
    from mmfct.apis.export_torchscript import export_torchscript

    folder, options, metrics = published
    config, path = str(folder / 'config.py'), str(tmp_path / 'h.pt')
    export_torchscript(config, final(folder), path, cfg_options=options)
    training = TrainingOptions(work_dir=str(tmp_path / 'work'), cfg_options=options)
    assert run_test(config, path, training) == pytest.approx(metrics, abs=1e-6, nan_ok=True)
    first, second = (
        export_transform(config, checkpoint, str(tmp_path / name), cfg_options=options)
        for name, checkpoint in (('a', final(folder)), ('b', path))
    )
    assert (first.old, first.side, first.new) == (second.old, second.side, second.new)


def test_a_transformation_of_published_models_becomes_one_file(published, tmp_path):
    from mmfct.apis.export_torchscript import export_torchscript

    folder, options, _ = published
    path = str(tmp_path / 'transformed.pt')
    shape = export_torchscript(str(folder / 'config.py'), final(folder), path, with_encoders=True, cfg_options=options)
    assert shape == (8, 1, 1)
    images = torch.randn(5, 3, 40, 40)
    old, side = (torch.jit.load(str(folder / f'{role}.pt'))(images) for role in ('old', 'side'))
    script = torch.jit.load(path)
    expected = script.transformation(old, side)
    torch.testing.assert_close(script(images), expected, rtol=1e-5, atol=1e-5)
