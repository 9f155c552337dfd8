"""Tests of the export of a transform."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmfct.apis.export_transform import export_transform
from mmfct.models.checkpoint import load_state_dict
from mmfct.registry import MODELS
from mmfct.retrieval import fingerprint_state_dict
from mmfct.retrieval.transform import Transform
from mmfct.retrieval.transform_file import read_transform

OUTPUT = dict(rtol=1e-5, atol=1e-5)


def head_of(project, **entries) -> torch.nn.Module:
    """Build the head of the project's transform, in evaluation mode."""
    config = Config.fromfile(project.config['transform'])
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(dict(config.model.head, **entries)).eval()


def test_the_file_does_what_the_head_does(upgrade_project, tmp_path):
    project, out = upgrade_project, tmp_path / 'h.safetensors'
    description = export_transform(project.config['transform'], project.checkpoint['transform'], out)
    head = head_of(project)
    weights = load_state_dict(project.checkpoint['transform'])
    head.load_state_dict({name.removeprefix('head.'): value for name, value in weights.items()})
    old, side = torch.randn(20, 6), torch.randn(20, 4)
    torch.testing.assert_close(Transform.load(out)(old, side), head(old, side), **OUTPUT)
    assert read_transform(out)[0] == description


def test_what_the_file_says(upgrade_project, tmp_path):
    project = upgrade_project
    said = export_transform(project.config['transform'], project.checkpoint['transform'], tmp_path / 'h.safetensors')
    assert (said.name, said.widths, said.with_uncertainty) == ('transform', dict(old=6, side=4, new=5), False)
    config = Config.fromfile(project.config['transform']).model.encoders
    for role in ('old', 'side', 'new'):
        identity = getattr(said, role)
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            encoder = MODELS.build(dict(config[role], type='mmfct.FrozenEncoder'))
        assert (identity.name, identity.fingerprint) == (role, fingerprint_state_dict(encoder.state_dict()))
    assert said.training_data['type'] == 'mmfct.ImageFolder' and said.training_data['num_views'] == 2
    assert 'pipeline' not in said.training_data
    assert said.quality == {'compatibility/new/upgraded_map': 0.5}
    assert said.backfill['input_shape'] == [3, 12, 12] and said.backfill['macs'] > 1000
    json.dumps(said.to_json())


def test_saving_the_checkpoints_again_changes_nothing(upgrade_project, tmp_path):
    project, outs = upgrade_project, []
    for name in ('a', 'b'):
        options = {f'model.encoders.{role}.checkpoint': project.checkpoint[role] for role in ('old', 'side', 'new')}
        if name == 'b':
            for key, checkpoint in options.items():
                state = torch.load(checkpoint, weights_only=True)['state_dict']
                folder = tmp_path / key.split('.')[2]
                folder.mkdir()
                options[key] = str(folder / 'epoch_9.pth')
                torch.save(dict(meta={}, state_dict=dict(reversed(state.items()))), options[key])
        outs.append(tmp_path / f'{name}.safetensors')
        export_transform(project.config['transform'], project.checkpoint['transform'], outs[-1], cfg_options=options)
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_uncertainty_and_no_side_information(upgrade_project, tmp_path):
    project, out = upgrade_project, tmp_path / 'h.safetensors'
    head = head_of(project, with_uncertainty=True, side_dims=6)
    torch.save({f'head.{name}': value for name, value in head.state_dict().items()}, tmp_path / 'h.pth')
    options = {'model.encoders.side': None, 'model.head.with_uncertainty': True, 'model.head.side_dims': 6}
    said = export_transform(project.config['transform'], str(tmp_path / 'h.pth'), out, cfg_options=options)
    assert said.side is None and said.with_uncertainty and said.quality is None
    old, transform = torch.randn(20, 6), Transform.load(out)
    torch.testing.assert_close(transform(old), head(old, old), **OUTPUT)
    torch.testing.assert_close(transform.log_variance(transform(old)), head.log_variance(head(old, old)), **OUTPUT)


def test_without_the_data_the_cost_of_a_backfill_is_unknown(upgrade_project, tmp_path):
    project = upgrade_project
    options = {'test_dataloader.dataset.dataset.data_root': str(tmp_path / 'gone')}
    said = export_transform(
        project.config['transform'],
        project.checkpoint['transform'],
        tmp_path / 'h.safetensors',
        cfg_options=options,
    )
    assert said.backfill is None


def test_errors(upgrade_project, tmp_path):
    project, out = upgrade_project, tmp_path / 'h.safetensors'
    with pytest.raises(ValueError, match=r'old.py. must be that of a transform, with `model.encoders`, got none'):
        export_transform(project.config['old'], project.checkpoint['old'], out)
    with pytest.raises(ValueError, match='is of another model'):
        export_transform(project.config['transform'], project.checkpoint['old'], out)
    with pytest.raises(ValueError, match=r'must have a `mmfct.TransformationHead`, got ForwardTransform'):
        head = dict(type='LinearClsHead', num_classes=2, in_channels=4, _delete_=True)
        export_transform(
            project.config['transform'], project.checkpoint['transform'], out, cfg_options={'model.head': head}
        )
    assert not out.exists()
