"""Configs that a command finds among those of mmfct."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmfct import configs
from mmfct.cli._arguments import config_file
from mmfct.configs import configs_folder, find_config

ROOT = Path(__file__).parents[2]
DIGITS = 'fct/resnet10_digits.py'


@pytest.mark.parametrize('name', [DIGITS, f'configs/{DIGITS}'])
def test_a_name_that_is_no_file_is_looked_up_and_said(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('RANK', raising=False)
    assert config_file(name) == str(ROOT / 'configs' / DIGITS)
    assert capsys.readouterr().err == f'{name} is no file here: using {ROOT / "configs" / DIGITS}\n'
    monkeypatch.setenv('RANK', '1')
    config_file(name)
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('name', [DIGITS, f'configs/{DIGITS}'])
def test_a_file_comes_first(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).touch()
    assert config_file(name) == name and capsys.readouterr().err == ''


@pytest.mark.parametrize('name', ['missing.py', '/fct/resnet10_digits.py', f'fct/../{DIGITS}', 'fct', ''])
def test_what_is_not_there_stays_as_it_is(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config(name) is None and config_file(name) == name


def test_the_folders(tmp_path, monkeypatch):
    """The wheel's folder, or else that of a checkout; a folder of this name elsewhere is not ours."""
    monkeypatch.setattr(configs, '_PACKAGE', tmp_path / 'mmfct')
    assert configs_folder() is None and find_config(DIGITS) is None
    (tmp_path / 'configs').mkdir()
    assert configs_folder() is None
    (tmp_path / 'pyproject.toml').touch()
    assert configs_folder() == tmp_path / 'configs'
    (tmp_path / 'mmfct/.mim/configs').mkdir(parents=True)
    assert configs_folder() == tmp_path / 'mmfct/.mim/configs'


def test_a_training_gets_the_file(monkeypatch, tmp_path):
    from mmfct.cli.train import main

    calls = []
    monkeypatch.setattr('mmfct.apis.training.train.train', lambda config, *_, **__: calls.append(config))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, 'LOCAL_RANK', '0')
    main([DIGITS], 'mmfct train')
    assert calls == [str(ROOT / 'configs' / DIGITS)]
