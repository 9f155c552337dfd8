"""The command lines that make and upgrade galleries."""

from __future__ import annotations

import pytest

from mmfct.retrieval import Gallery


def test_export_extract_and_upgrade(run_tool, digits, tmp_path, capsys):
    options = ['--cfg-options', *(f'{key}={value}' for key, value in digits.cfg_options.items())]
    checkpoints = [digits.root / f'resnet10_digits{stage}/final.pth' for stage in ('', '_old')]
    assert run_tool('export_transform.py', digits.config, checkpoints[0], tmp_path / 'h', *options) == 0
    assert run_tool('extract_gallery.py', digits.config, checkpoints[1], tmp_path / 'old', *options) == 0
    words = ['upgrade_gallery.py', tmp_path / 'old', tmp_path / 'h', tmp_path / 'new']
    capsys.readouterr()
    assert run_tool(*words, '--dry-run') == 0
    assert 'vectors          719' in capsys.readouterr().out and not (tmp_path / 'new').exists()
    assert run_tool(*words, '--dtype', 'bfloat16', '--batch-size', '100', '--distance', 'cosine') == 0
    upgraded = Gallery(tmp_path / 'new')
    assert (len(upgraded), upgraded.metadata['distance']) == (719, 'cosine')


@pytest.mark.parametrize(
    'words',
    [
        ('upgrade_gallery.py', 'no', 'h', 'out'),
        ('upgrade_gallery.py', 'no', 'h', 'out', '--dry-run'),
        ('extract_gallery.py', 'no.py', 'a.pth', 'out'),
        ('export_transform.py', 'no.py', 'a.pth', 'h'),
    ],
)
def test_bad_input_is_one_line(run_tool, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_tool(*words) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith('error: ')
