"""Tests of the choice of encoders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmfct.apis.gallery_encoders import gallery_encoders


@pytest.fixture
def configs(upgrade_project) -> dict[str, Config]:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield {name: Config.fromfile(file) for name, file in upgrade_project.config.items()}


def test_the_role_is_that_of_the_checkpoint(configs, upgrade_project, monkeypatch):
    project = upgrade_project
    monkeypatch.chdir(project.root)
    for role, expected in (('old', {'old', 'side'}), ('new', {'old'})):
        for checkpoint in (project.checkpoint[role], os.path.relpath(project.checkpoint[role])):
            chosen = gallery_encoders(configs['transform'], checkpoint)
            assert chosen.keys() == expected and chosen['old']['checkpoint'] == checkpoint
            assert chosen['old']['backbone'] == configs['transform'].model.encoders[role].backbone


def test_another_checkpoint_needs_a_role(configs):
    with pytest.raises(ValueError, match=r"`role` must be .* for a checkpoint .* got None and 'other.pth'"):
        gallery_encoders(configs['transform'], 'other.pth')
    assert gallery_encoders(configs['transform'], 'other.pth', role='new')['old']['checkpoint'] == 'other.pth'
    with pytest.raises(ValueError, match="`role` must be 'old' or 'new' and have an encoder .*, got 'side'"):
        gallery_encoders(configs['transform'], 'other.pth', role='side')
    configs['transform'].model.encoders.new = None
    with pytest.raises(ValueError, match="and have an encoder in the config, got 'new'"):
        gallery_encoders(configs['transform'], 'other.pth', role='new')


def test_a_torchscript_file_is_its_own_checkpoint(configs):
    configs['transform'].model.encoders.new = dict(backbone=dict(type='mmfct.TorchScriptBackbone', checkpoint='n.pt'))
    chosen = gallery_encoders(configs['transform'], str(Path('n.pt').absolute()))
    assert chosen == dict(old=dict(backbone=dict(type='mmfct.TorchScriptBackbone', checkpoint=f'{Path.cwd()}/n.pt')))
    assert configs['transform'].model.encoders.new.backbone.checkpoint == 'n.pt'  # left alone


def test_necks_of_a_training(configs):
    classifier = gallery_encoders(configs['old'], 'a.pth')['old']
    assert classifier['neck'] == dict(type='GlobalAveragePooling')
    simclr = configs['side']
    side = gallery_encoders(configs['old'], 'a.pth', side_config=simclr, side_checkpoint='b.pth')['side']
    assert side['neck']['type'] == 'mmfct.SideInfoNeck' and side['neck']['projector'] is None
    assert simclr.model.neck.projector is not None
    simclr.model.neck = dict(type='NonLinearNeck', in_channels=4, hid_channels=8, out_channels=4)
    side = gallery_encoders(configs['old'], 'a.pth', side_config=simclr, side_checkpoint='b.pth')['side']
    assert side['neck'] is None  # the contrastive space


def test_a_preprocessor_of_the_config_is_taken_where_the_model_has_none(configs):
    del configs['old'].model.data_preprocessor
    configs['old'].data_preprocessor = dict(mean=[1.0], std=[2.0])
    chosen = gallery_encoders(configs['old'], 'a.pth')['old']
    assert chosen['data_preprocessor'] == dict(type='ClsDataPreprocessor', mean=[1.0], std=[2.0])


def test_options_that_do_not_fit(configs):
    with pytest.raises(ValueError, match="`role` is for the config of a transform, .* got 'old'"):
        gallery_encoders(configs['old'], 'a.pth', role='old')
    with pytest.raises(ValueError, match="must be given together, got None and 'b.pth'"):
        gallery_encoders(configs['old'], 'a.pth', side_checkpoint='b.pth')
    with pytest.raises(ValueError, match=r"`side_config` must be left out with the config of a transform.*side.py'"):
        options = dict(side_config=configs['side'], side_checkpoint='b.pth')
        gallery_encoders(configs['transform'], 'a.pth', **options)
