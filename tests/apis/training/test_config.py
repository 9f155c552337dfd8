"""Configs with options that reach everything computed from them."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mmfct.apis.training.config import DictAction, config_variables, load_config

ROOT = Path(__file__).parents[3]
CONFIGS = sorted((ROOT / 'configs').rglob('*.py'))

BASE = """
data_root = 'data/somewhere'
sizes = (1, 2)
flag = False
half = None
epochs = 10
train_set = dict(type='Set', data_root=data_root, sizes=sizes)
"""
CHILD = """
_base_ = 'base.py'
work_root = 'work'
old_epochs = 2 * 3
loader = dict(dataset=dict(_base_.train_set, flag=_base_.flag), epochs=_base_.epochs)
path = f'{work_root}/{_base_.data_root}/table'
scaled = [rate * 2 for rate in _base_.sizes]
if old_epochs > 7:
    kind = 'long'
else:
    kind = 'short'
"""


@pytest.fixture
def child(tmp_path) -> Path:
    (tmp_path / 'base.py').write_text(BASE)
    (tmp_path / 'child.py').write_text(CHILD)
    return tmp_path / 'child.py'


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT / 'configs')))
def test_without_options_it_is_what_mmengine_loads(path):
    config, expected = load_config(path), Config.fromfile(path)
    assert config.to_dict() == expected.to_dict()
    assert (config.filename, config.text) == (expected.filename, expected.text)


def test_with_a_variable_left_at_its_value_nothing_changes(child):
    expected = Config.fromfile(child)
    config = load_config(child, dict(data_root='data/somewhere', sizes=(1, 2), old_epochs=6))
    assert config.to_dict() == expected.to_dict()
    assert config.filename == str(child)


def test_a_variable_of_a_base_reaches_what_base_and_child_compute_from_it(child):
    config = load_config(child, dict(data_root='/d'))
    assert config.data_root == config.train_set.data_root == config.loader.dataset.data_root == '/d'
    assert config.path == 'work//d/table'


def test_a_variable_decides_branches_of_the_config(child):
    assert load_config(child).kind == 'short'
    assert load_config(child, dict(old_epochs=8)).kind == 'long'


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('sizes', (3, 4.5)),
        ('sizes', [3, [4]]),
        ('flag', True),
        ('half', 0.5),
        ('half', 1e-30),
        ('half', None),
        ('data_root', 'it\'s {a} "folder"\n\\'),
        ('data_root', '1'),
        ('epochs', -1),
    ],
)
def test_values_keep_their_type(child, name, value):
    config = load_config(child, {name: value})
    assert config[name] == value and type(config[name]) is type(value)


def test_dotted_options_are_merged_as_in_mmengine(child):
    options = {'loader.dataset.sizes': 5, 'loader.dataset.new.key': 'x', 'unknown': 1, 'train_set.data_root': 'y'}
    expected = Config.fromfile(child)
    expected.merge_from_dict(options)
    assert load_config(child, options).to_dict() == expected.to_dict()
    assert load_config(child, options | dict(epochs=3)).loader == dict(expected.loader, epochs=3)


def test_dotted_options_win_over_variables(child):
    config = load_config(child, {'data_root': 'a', 'loader.dataset.data_root': 'b'})
    assert (config.train_set.data_root, config.loader.dataset.data_root) == ('a', 'b')


def test_the_options_are_not_changed(child):
    options = {'data_root': 'a', 'loader.epochs': 1}
    load_config(child, options)
    assert options == {'data_root': 'a', 'loader.epochs': 1}


def test_bases_of_an_installed_package(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("_base_ = ['mmpretrain::_base_/default_runtime.py']\nname = 'a'\nfolder = f'{name}/b'\n")
    assert load_config(path).to_dict() == Config.fromfile(path).to_dict()
    config = load_config(path, dict(name='c', log_level='ERROR'))
    assert (config.folder, config.log_level, config.default_scope) == ('c/b', 'ERROR', 'mmpretrain')


def test_names_of_the_file_are_those_of_the_original(tmp_path, monkeypatch):
    (tmp_path / 'sub').mkdir()
    (tmp_path / 'sub/base.py').write_text("origin = '{{ fileBasename }}'\n")
    path = tmp_path / 'config.py'
    path.write_text(
        "_base_ = ['./sub/base.py']\nroot = 'a'\nfolder = '{{ fileDirname }}'\n"
        "home = '{{$MMFCT_TEST:nowhere}}'\nboth = root + '/{{ fileBasenameNoExtension }}'\ntwin = {{_base_.origin}}\n"
    )
    monkeypatch.setenv('MMFCT_TEST', 'here')
    config = load_config(path, dict(root='b'))
    assert config.both == 'b/config' and config.folder == str(tmp_path) and config.home == 'here'
    assert config.origin == config.twin == 'base.py'
    assert config.env_variables == Config.fromfile(path).env_variables == {'MMFCT_TEST': 'here'}


def test_relative_paths(child, monkeypatch):
    monkeypatch.chdir(child.parent)
    config = load_config('child.py', dict(epochs=3))
    assert config.filename == 'child.py' and config.loader.epochs == 3


@pytest.mark.parametrize('suffix', ['.json', '.py'])
def test_configs_that_are_not_evaluated_as_text_take_merged_options(tmp_path, suffix):
    path = tmp_path / f'config{suffix}'
    if suffix == '.json':
        path.write_text('{"epochs": 3, "loader": {"size": 1}}')
    else:
        path.write_text('from mmfct.registry import DATASETS\nepochs = 3\nloader = dict(size=1, type=DATASETS)\n')
    assert config_variables(path) == set()
    config = load_config(path, {'epochs': 4, 'loader.size': 2})
    assert (config.epochs, config.loader.size, config.filename) == (4, 2, str(path))


def test_variables_are_plain_assignments_of_the_config_and_its_bases(child):
    own = {'work_root', 'old_epochs', 'path', 'scaled', 'kind'}
    assert config_variables(child) == own | {'data_root', 'sizes', 'flag', 'half', 'epochs'}


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config '.*none\.py' does not exist"):
        load_config(tmp_path / 'none.py', dict(epochs=3))


def test_missing_base(tmp_path):
    (tmp_path / 'config.py').write_text("_base_ = 'none.py'\n")
    with pytest.raises(FileNotFoundError, match=r'none\.py'):
        load_config(tmp_path / 'config.py', dict(epochs=3))


def test_a_variable_under_a_condition_is_reached(tmp_path):
    (tmp_path / 'c.py').write_text("kind = 'a'\nif kind == 'a':\n    x = 1\nelse:\n    x = 2\ny = 10 * x\n")
    assert {'kind', 'x', 'y'} <= config_variables(tmp_path / 'c.py')
    assert load_config(tmp_path / 'c.py', dict(x=5)).y == 50
    assert load_config(tmp_path / 'c.py', dict(kind='b', x=7)).y == 70


@pytest.mark.parametrize('data', ['omniglot', 'grocery'])
def test_a_side_model_of_ones_own(data):
    path = ROOT / f'configs/fct/resnet10_{data}.py'
    config = load_config(path, dict(side_checkpoint='mine.pth', prerequisites=[]))
    assert config.model.encoders.side.checkpoint == 'mine.pth' and config.prerequisites == []
    for side, stages in dict(simclr=3, shared=3, none=2).items():
        assert len(load_config(path, dict(side=side)).prerequisites) == stages


@pytest.mark.parametrize(
    ('config', 'options', 'error'),
    [
        ('fct/resnet10_omniglot.py', dict(setting='quarter'), r"KeyError\('quarter'\)"),
        ('fct/resnet10_omniglot.py', dict(side='simclrr'), r"AssertionError\('simclrr'\)"),
        ('fct/resnet10_grocery.py', dict(side='nonne'), r"AssertionError\('nonne'\)"),
        ('fct/resnet10_omniglot_sources.py', dict(source='supervized'), r"AssertionError\('supervized'\)"),
        ('fct/resnet10_digits.py', dict(transform_epochs=[2, 3]), 'TypeError'),
    ],
)
def test_values_that_a_config_does_not_know(config, options, error):
    (pair,) = options.items()
    message = f'{config} cannot be evaluated with {pair[0]}='
    with pytest.raises(ValueError, match=message) as raised:
        load_config(ROOT / 'configs' / config, options)
    assert re.search(error, str(raised.value))


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (['data_root=/data/my images'], {'data_root': '/data/my images'}),
        (['a=1', 'b=[1, 2]', 'c=x y'], {'a': 1, 'b': [1, 2], 'c': 'x y'}),
        (
            ['a=1.5', 'b=None', 'c=True', 'd=(1,x)', 'e=u,v'],
            {'a': 1.5, 'b': None, 'c': True, 'd': (1, 'x'), 'e': ['u', 'v']},
        ),
    ],
)
def test_blanks_stay_in_names(words, expected):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    assert parser.parse_args(['--cfg-options', *words]).cfg_options == expected


@pytest.mark.parametrize('words', [['foo'], ['a=1', 'configs/a.py']])
def test_a_word_that_is_no_option_is_named(words, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', *words])
    message = f'--cfg-options takes KEY=VALUE, after the other arguments, got {words[-1]!r}'
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ('word', 'expected'),
    [
        ('data_root=2024', '2024'),
        ('data_root=007', '007'),
        ('work_root=1e5', '1e5'),
        ('data_root=set,v2', 'set,v2'),
        ('train_dataloader.dataset.ann_file=set, v2', 'set, v2'),
        ('load_from=1_000', '1_000'),
        ('work_dir=True', 'True'),
        ('old_checkpoint=None', None),
        ('data_root=[a,b]', ['a', 'b']),
        ('img_path=a(1,b', 'a(1,b'),
        ('epochs=2024', 2024),
        ('model.backbone.drop_path=0.1', 0.1),
        ('profile=True', True),
        ('sizes=1,2', [1, 2]),
    ],
)
def test_names_of_files_stay_as_they_are(word, expected):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    (value,) = parser.parse_args(['--cfg-options', word]).cfg_options.values()
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        (
            "[dict(type='Resize', scale=32), dict(type='PackInputs')]",
            [dict(type='Resize', scale=32), dict(type='PackInputs')],
        ),
        (
            '[dict(type=mmfct.Resize,scale=(3,4)),dict(type=Pack)]',
            [dict(type='mmfct.Resize', scale=(3, 4)), dict(type='Pack')],
        ),
        ("{'a': [1, None, -2.5], 'b': {}}", {'a': [1, None, -2.5], 'b': {}}),
        ("dict(a=True, b='x y')", dict(a=True, b='x y')),
        ('["a, b", c]', ['a, b', 'c']),
        ("('x', 1)", ('x', 1)),
    ],
)
def test_lists_of_dicts(child, text, expected):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    options = parser.parse_args(['--cfg-options', f'sizes={text}']).cfg_options
    assert options == dict(sizes=expected)
    (child.parent / 'plain.py').write_text('sizes = 1\ntwin = [sizes]\n')
    config = load_config(child.parent / 'plain.py', options)
    assert config.sizes == expected and config.twin[0] == expected


@pytest.mark.parametrize(
    'text',
    ["[dict(type='Resize', scale=32]", '[1, 2', '[dict(32)]', "['a' b]", '[dict(**x)]', "[open('a')]", "{**{'a': 1}}"],
)
def test_a_value_that_cannot_be_read_is_named(capsys, text):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', 'epochs=3', f'test_pipeline={text}'])
    message = capsys.readouterr().err
    assert '--cfg-options: test_pipeline must be a number, a word or a list' in message and repr(text)[:8] in message


@pytest.mark.parametrize('name', ['loader.epochs.deep', 'scaled.7', 'scaled.one', 'path.a.b'])
def test_an_option_without_a_place_is_named(child, name):
    with pytest.raises(ValueError, match=f'child.py has no place for the option {name}=5: '):
        load_config(child, {'loader.new': 1, name: 5, 'more.new': 2})
