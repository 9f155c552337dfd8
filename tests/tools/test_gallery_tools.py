"""The command lines that make and upgrade galleries."""

from __future__ import annotations

import cv2
import numpy as np
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
        ('extend_gallery.py', 'no', 'out', '--remove', 'no'),
    ],
)
def test_bad_input_is_one_line(run_tool, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_tool(*words) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith('error: ')


def test_a_folder_with_broken_files_and_classes(run_tool, digits, tmp_path, capsys):
    for name in ('cat/1', 'cat/2', 'dog/1', '.bin/1'):
        path = tmp_path / f'photos/{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((8, 8), np.uint8))
    (tmp_path / 'photos/cat/2.png').write_bytes(b'no picture')
    config = tmp_path / 'with_files.py'
    config.write_text(
        f"_base_ = {digits.config!r}\nfolder_pipeline = [dict(type='LoadImageFromFile', color_type='grayscale'), "
        "dict(type='PackInputs')]\n"
    )
    options = ['--cfg-options', *(f'{key}={value}' for key, value in digits.cfg_options.items())]
    words = [config, digits.root / 'resnet10_digits_old/final.pth', tmp_path / 'out']
    words += ['--images', tmp_path / 'photos', '--skip-broken', '--labels-from-folders', *options]
    assert run_tool('extract_gallery.py', *words) == 0
    output = capsys.readouterr().out
    assert "1 hidden files and folders and bins ('.bin')" in output and '1 of 3 images are skipped, see' in output
    gallery = Gallery(tmp_path / 'out')
    assert gallery.column('id').tolist() == ['cat/1.png', 'dog/1.png']
    assert sorted(gallery.metadata['label_names'].values()) == ['cat', 'dog'] and 'label' in gallery.columns
