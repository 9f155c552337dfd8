"""Tests of the comparison as a whole, on the digits."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mmfct.apis.compare_methods import METHODS, closed_form, compare, compare_methods
from mmfct.apis.compare_methods.compare import (
    _without_enough_images,
    _without_equal_widths,
    _without_metric_learning,
)
from mmfct.apis.compare_methods.report import cost_table, scores_table, write_comparison
from mmfct.apis.compare_methods.scores import Comparison
from mmfct.apis.compare_methods.trained import objective_config
from mmfct.apis.export_torchscript import export_torchscript
from mmfct.apis.export_transform import export_transform
from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.test import test as run_test
from mmfct.apis.upgrade_gallery import upgrade_gallery
from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.transform.apply import Transform
from mmfct.utils.json import without_nan

pytestmark = pytest.mark.slow  # nearly all of them look at the one comparison that trains every method


@pytest.fixture(scope='module', autouse=True)
def short_curves():
    """Backfill curves of 4 points, of which every one is a search."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ('mmfct.evaluation.backfill_curves', 'mmfct.apis.compare_methods.report'):
            patch.setattr(sys.modules[module], 'POINTS', 4)
        yield


@pytest.fixture(scope='module')
def options(digits, tmp_path_factory) -> TrainingOptions:
    quick = {'learn.epochs': 1, 'learn.folds': 2, 'learn.hidden_dims': 8}
    return TrainingOptions(work_dir=str(tmp_path_factory.mktemp('work')), cfg_options=digits.cfg_options | quick)


@pytest.fixture(scope='module')
def comparison(digits, options) -> Comparison:
    aligned = dict(itself=str(digits.root / 'resnet10_digits_old/final.pth'))
    return compare_methods(digits.config, aligned=aligned, options=options)


@pytest.fixture(scope='module')
def compared(comparison) -> dict:
    return comparison.to_json()


def test_all_methods_are_scored_and_written(compared, options, digits):
    assert list(compared['methods']) == [*METHODS, 'itself']
    with open(f'{options.work_dir}/methods/methods.json') as file:
        assert json.load(file) == compared
    for name in ('methods.png', 'backfill.png'):
        with open(f'{options.work_dir}/methods/{name}', 'rb') as file:
            assert file.read(4) == b'\x89PNG'
    assert compared['bounds']['new/new']['map'] == pytest.approx(digits.metrics['compatibility/new/new_map'])


def test_fct_is_what_training_reports(compared, digits):
    fct, metrics = compared['methods']['fct+side'], without_nan(digits.metrics)
    for name in ('cmc1', 'cmc5', 'map'):
        assert fct['scores'][name] == pytest.approx(metrics[f'compatibility/new/upgraded_{name}'], abs=1e-6)
        assert fct['gains'][name] == pytest.approx(metrics[f'compatibility/update_gain_{name}'], abs=1e-4)
    assert fct['bytes_per_item'] == 2 * compared['methods']['fct']['bytes_per_item'] == 1024


def test_what_learning_chooses_is_compared(compared, options, digits):
    for name in ('learned', 'learned+side'):
        method, folder = compared['methods'][name], Path(options.work_dir) / 'methods' / name
        report = json.loads((folder / 'learn.json').read_text())
        transform = Transform(folder / 'learned.safetensors')
        assert all('side' not in candidate for candidate in report['candidates']) == (name == 'learned')
        assert method['bytes_per_item'] == (1024 if transform.network.uses_side else 512)
        assert method['parameters'] == sum(parameter.numel() for parameter in transform.network.parameters())
    assert compared['methods']['learned+side']['scores']['map'] > compared['methods']['procrustes']['scores']['map']


def test_what_was_learned_upgrades_galleries_of_the_models(compared, options, digits, tmp_path):
    old = str(digits.root / 'resnet10_digits_old/final.pth')
    few = digits.cfg_options | {'test_dataloader.dataset.dataset.indices': 20}
    extract_gallery(digits.config, old, str(tmp_path / 'old'), cfg_options=few)
    file = Path(options.work_dir) / 'methods/learned+side/learned.safetensors'
    upgraded = upgrade_gallery(str(tmp_path / 'old'), [str(file)], str(tmp_path / 'new'))
    assert len(upgraded) == 20 and str(Provenance.from_metadata(upgraded.metadata).embedding).startswith(
        'resnet10_digits_new ('
    )


def test_an_aligned_model_searches_the_old_gallery(compared):
    # The old model itself is perfectly aligned: nothing is gained and nothing lost.
    itself = compared['methods']['itself']
    assert itself['scores'] == itself['goal'] and itself['negative_flips'] == 0
    assert itself['scores']['map'] == compared['bounds']['old/old']['map']


def test_only_fastfill_predicts_its_uncertainty(compared):
    orders = {name: method['order'] for name, method in compared['methods'].items()}
    assert {name for name, order in orders.items() if order == 'uncertainty'} == {'fastfill', 'fastfill+side'}


def test_what_was_trained_is_used_again(compared, options, digits):
    checkpoint = Path(options.work_dir) / 'methods/fct/final.pth'
    before = checkpoint.stat().st_mtime_ns
    again = compare_methods(digits.config, methods=['fct', 'ridge'], options=options).to_json()
    assert checkpoint.stat().st_mtime_ns == before
    assert again['methods'] == {name: compared['methods'][name] for name in ('fct', 'ridge')}


def test_tables(comparison):
    scores, costs = scores_table(comparison), cost_table(comparison)
    assert len(scores.splitlines()) == 2 + 3 + 13 and len(costs.splitlines()) == 2 + 13
    assert '| fct+side ' in scores and '790,656' in costs


def test_test_images_without_labels(compared, digits, options, monkeypatch):
    def read(dataset):
        labels = -torch.ones(719, dtype=torch.long)
        return {role: replace(items, labels=labels) for role, items in whole(dataset).items()}

    whole = compare.read_table
    monkeypatch.setattr(compare, 'read_table', read)
    with pytest.raises(
        ValueError, match='`test_dataloader.dataset` must have a label for some images, .* got -1 for all'
    ):
        compare_methods(digits.config, methods=['identity'], options=options)


@pytest.mark.parametrize(
    ('wrong', 'late', 'message'),
    [
        ({'param_scheduler': [dict(type='LinearLR', end=0)]}, 'train_prerequisites', 'has no step'),
        ({'learn': dict(pairs=1)}, 'read_table', '`learn` of the config must have settings among'),
        ({'model.head.new_dims': 7}, 'read_table', r'the new embedding must have shape \(B, 7\)'),
    ],
)
def test_what_cannot_work_is_found_before_hours_are_spent(digits, tmp_path, monkeypatch, wrong, late, message):
    monkeypatch.setattr(compare, late, lambda *_, **__: pytest.fail('too late'))
    options = TrainingOptions(work_dir=str(tmp_path), cfg_options={**digits.cfg_options, **wrong})
    with pytest.raises(ValueError, match=message):
        compare_methods(digits.config, methods=['fct'], options=options)


def test_a_score_that_could_not_be_measured(comparison, tmp_path):
    nothing = dict.fromkeys(['cmc1', 'cmc5', 'map'], float('nan'))
    curves = {name: [value] for name, value in nothing.items()}
    fct = comparison.methods['fct']
    narrow = replace(fct, scores=nothing, gains=nothing, curves=curves)
    write_comparison(replace(comparison, methods=dict(narrow=narrow, fct=fct)), tmp_path)
    assert json.loads((tmp_path / 'methods.json').read_text())['methods']['narrow']['scores']['map'] is None
    assert '| narrow  |     - |' in (tmp_path / 'methods.md').read_text()


def test_objectives_differ_in_the_head_alone(digits, tmp_path):
    config = TrainingOptions(cfg_options=digits.cfg_options).load(digits.config)
    configs = {
        (name, side): objective_config(config, tmp_path, name, use_side=side)
        for name in ('fct', 'fastfill', 'lambda-orthogonality')
        for side in (False, True)
    }
    assert config.model.get('use_side') is None and config.test_dataloader is not None  # untouched
    fastfill = configs['fastfill', True].model.head
    assert fastfill.with_uncertainty and fastfill.class_loss.checkpoint == config.model.encoders.new.checkpoint
    assert configs['fct', True].model.head.class_loss is None
    assert [configs['fct', side].model.head.side_dims for side in (False, True)] == [128, 128]
    assert [configs['fct', side].model.use_side for side in (False, True)] == [False, True]
    assert configs['lambda-orthogonality', True].model.head == dict(
        type='mmfct.OrthogonalAlignmentHead', old_dims=128, side_dims=128, new_dims=128, hidden_dims=512
    )
    for other in configs.values():
        assert other.optim_wrapper == config.optim_wrapper and other.train_dataloader == config.train_dataloader


@pytest.fixture
def untrained(monkeypatch):
    """Comparisons where every method leaves the gallery as it is: for tests of which methods are compared."""
    monkeypatch.setattr(compare, '_upgrade', lambda name, config, folder, train, test: closed_form.keep(test))


def test_a_new_model_without_a_linear_classifier(untrained, digits, tmp_path, capsys):
    checkpoint = torch.load(digits.root / 'resnet10_digits_new/final.pth', weights_only=True)
    checkpoint['state_dict']['head.weight'] = checkpoint['state_dict'].pop('head.fc.weight')  # as ArcFace's
    torch.save(checkpoint, tmp_path / 'arcface.pth')
    few = {'test_dataloader.dataset.dataset.indices': 100}
    options = digits.cfg_options | few | dict(new_checkpoint=str(tmp_path / 'arcface.pth'))
    options = TrainingOptions(work_dir=str(tmp_path / 'work'), cfg_options=options)
    asked = compare_methods(digits.config, methods=['identity', 'ridge'], options=options)
    assert list(asked.methods) == ['identity', 'ridge']
    with pytest.raises(ValueError, match="fastfill needs 'head.fc.weight', .* has none; leave out fastfill"):
        compare_methods(digits.config, methods=['identity', 'fastfill'], options=options)
    with pytest.raises(FileNotFoundError, match='missing.pth'):  # before anything is trained
        compare_methods(digits.config, aligned=dict(bct=str(tmp_path / 'missing.pth')), options=options)
    assert list(compare_methods(digits.config, options=options).methods) == [
        name for name in METHODS if not name.startswith('fastfill')
    ]
    assert 'a linear classifier, in the checkpoint of the new model' in capsys.readouterr().out


def test_a_method_whose_package_is_not_installed(digits, options, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pytorch_metric_learning', None)
    message = "needs pytorch-metric-learning, which `pip install 'mmfct[metric-learning]'` installs"
    with pytest.raises(ImportError, match=re.escape(f'{message}; leave out lambda-orthogonality+side')):
        compare_methods(digits.config, methods=['fct', 'lambda-orthogonality+side'], options=options)
    assert _without_metric_learning(list(METHODS), asked=False) == list(METHODS[:-2])
    assert f'lambda-orthogonality {message}: left out' in capsys.readouterr().out


def test_too_few_images_to_hold_some_out(capsys):
    images = EmbeddingSet(torch.zeros(120, 4), torch.zeros(120), torch.arange(60).repeat(2))
    few, enough = dict(old=images), dict(old=replace(images, ids=torch.arange(120)))
    names = ['identity', 'learned+side']
    message = 'learned needs at least 100 training images, got 60'
    with pytest.raises(ValueError, match=rf'{message}; leave out learned\+side'):
        _without_enough_images(names, few, asked=True)
    assert _without_enough_images(names, few, asked=False) == ['identity']
    assert f'{message}: left out' in capsys.readouterr().out
    assert _without_enough_images(names, enough, asked=True) == names


def test_an_h_of_other_encoders_is_not_used_again(compared, digits, options, tmp_path):
    root = tmp_path / 'root'
    shutil.copytree(digits.root, root)
    own = TrainingOptions(work_dir=str(tmp_path / 'work'), cfg_options=digits.cfg_options | dict(work_root=str(root)))
    compare_methods(digits.config, methods=['fct'], options=own)
    checkpoint = torch.load(root / 'resnet10_digits_old/final.pth', weights_only=True)
    checkpoint['state_dict']['backbone.conv1.weight'] += 0.1
    torch.save(checkpoint, root / 'resnet10_digits_old/final.pth')
    with pytest.raises(ValueError, match='differs in the weights of .*resnet10_digits_old/final.pth; remove'):
        compare_methods(digits.config, methods=['fct'], options=own)


def test_unknown_method(digits, options):
    with pytest.raises(ValueError, match=r"`methods` must be among identity, .*\+side, got 'best'"):
        compare_methods(digits.config, methods=['ridge', 'best'], options=options)


@pytest.mark.parametrize('name', ['fct', '../bct', ''])
def test_names_of_aligned_models(digits, options, name):
    with pytest.raises(ValueError, match=f'`aligned` must have names .* of no method, got {name!r}'):
        compare_methods(digits.config, aligned={name: 'new.pth'}, options=options)


def test_a_transformation_without_side_information_is_exported_without_it(compared, options, digits, tmp_path):
    checkpoint = f'{options.work_dir}/methods/fct/final.pth'
    cfg_options = digits.cfg_options | {'model.use_side': False}
    description = export_transform(digits.config, checkpoint, str(tmp_path / 'h'), cfg_options=cfg_options)
    assert description.side is None and description.side_dims == description.old_dims
    script = str(tmp_path / 'h.pt')
    export_torchscript(digits.config, checkpoint, script, with_encoders=True, cfg_options=cfg_options)
    assert not hasattr(torch.jit.load(script), 'side_info_model')


def test_side_information_that_is_not_there(digits, options, tmp_path):
    path = tmp_path / 'noside.py'
    path.write_text(f'_base_ = {digits.config!r}\nmodel = dict(encoders=dict(_delete_=True, old={{}}, new={{}}))\n')
    with pytest.raises(ValueError, match="'fct.side' needs the encoder `side`, which the config does not have"):
        compare_methods(str(path), methods=['fct', 'fct+side'], options=options)


def test_other_configs_are_refused(digits, options):
    with pytest.raises(ValueError, match="must be the config of a `mmfct.ForwardTransform`, got 'ImageClassifier'"):
        compare_methods(digits.config.replace('digits.py', 'digits_old.py'), options=options)
    config = digits.config.replace('digits.py', 'omniglot_online.py')
    with pytest.raises(ValueError, match='`train_dataloader.dataset` must be a `mmfct.Emb.*got .*Omniglot'):
        compare_methods(config, options=options)


def test_tool(run_tool, digits, options, capsys):
    words = [digits.config, '--work-dir', options.work_dir, '--methods']
    extra = ['--cfg-options', *(f'{name}={value}' for name, value in digits.cfg_options.items())]
    assert run_tool('compare_methods.py', *words, 'identity', 'procrustes', *extra) == 0
    assert '| procrustes |' in capsys.readouterr().out
    assert run_tool('compare_methods.py', *words, 'best', *extra) == 2
    assert 'error: `methods` must be among' in capsys.readouterr().err
    assert run_tool('compare_methods.py', *words, 'fct', '--aligned', 'bct') == 2
    assert '`--aligned` takes NAME=CHECKPOINT, got bct' in capsys.readouterr().err


def test_queries_that_are_mapped(compared, options, digits):
    mapped = compared['methods']['lambda-orthogonality+side']
    assert mapped['goal'] != compared['bounds']['new/new']
    assert (mapped['parameters'], mapped['multiply_adds']) == (790_656 + 128 * 129, 786_432)
    # The gap is the one to the new model as it was.
    old, new = (compared['bounds'][pair]['map'] for pair in ('old/old', 'new/new'))
    assert mapped['gains']['map'] == pytest.approx((mapped['scores']['map'] - old) / (new - old))
    # A report of the same checkpoint says the same.
    head = dict(type='mmfct.OrthogonalAlignmentHead', old_dims=128, side_dims=128, new_dims=128, hidden_dims=512)
    cfg_options = digits.cfg_options | {'model.head': dict(head, _delete_=True)}
    checkpoint = f'{options.work_dir}/methods/lambda-orthogonality+side/final.pth'
    reported = run_test(digits.config, checkpoint, options=TrainingOptions(cfg_options=cfg_options))
    assert reported['compatibility/new/upgraded_map'] == pytest.approx(mapped['scores']['map'], abs=1e-6)


def test_mapped_queries_are_not_exported(compared, options, digits, tmp_path):
    head = dict(type='mmfct.OrthogonalAlignmentHead', old_dims=128, side_dims=128, new_dims=128, hidden_dims=512)
    cfg_options = digits.cfg_options | {'model.head': dict(head, _delete_=True)}
    checkpoint = f'{options.work_dir}/methods/lambda-orthogonality+side/final.pth'
    for export in (export_transform, export_torchscript):
        with pytest.raises(ValueError, match='OrthogonalAlignmentHead maps queries too'):
            export(digits.config, checkpoint, str(tmp_path / 'h'), cfg_options=cfg_options)
    assert not (tmp_path / 'h').exists()


def test_models_of_two_widths(digits, tmp_path, capsys):
    config = TrainingOptions(cfg_options=digits.cfg_options).load(digits.config)
    config.model.head.old_dims = 64
    assert _without_equal_widths(list(METHODS), config, asked=False) == list(METHODS[:-2])
    assert 'lambda-orthogonality needs models of one width, got 64 and 128: left out' in capsys.readouterr().out
    with pytest.raises(ValueError, match='needs models of one width, got 64 and 128; leave out lambda-orthogonality'):
        _without_equal_widths(['fct', 'lambda-orthogonality'], config, asked=True)
