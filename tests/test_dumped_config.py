"""Tools take the config that a training leaves in its work directory, so that its options need not be repeated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmfct.apis.compare_methods import compare_methods
from mmfct.apis.export_torchscript import export_torchscript
from mmfct.apis.export_transform import export_transform
from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.test import test as run_test
from mmfct.apis.training.train import train


@pytest.fixture
def dumped(digits):
    """Function that returns the config that the training of a stage has left."""
    return lambda stage='': str(digits.root / f'resnet10_digits{stage}' / f'resnet10_digits{stage}.py')


def checkpoint(digits, stage: str = '') -> str:
    return str(digits.root / f'resnet10_digits{stage}' / 'final.pth')


@pytest.mark.parametrize('role', ['old', 'new'])
def test_a_gallery(digits, dumped, role, tmp_path):
    weights = checkpoint(digits, f'_{role}')
    given = extract_gallery(digits.config, weights, str(tmp_path / 'a'), role=role, cfg_options=digits.cfg_options)
    found = extract_gallery(dumped(), weights, str(tmp_path / 'b'), role=role)
    assert found.metadata == given.metadata
    np.testing.assert_array_equal(found.column('embedding'), given.column('embedding'))


def test_scores(digits, dumped, tmp_path):
    metrics = run_test(dumped(), checkpoint(digits), TrainingOptions(work_dir=str(tmp_path)))
    assert metrics == pytest.approx(digits.metrics, abs=1e-6, nan_ok=True)


def test_a_transform_file(digits, dumped, tmp_path):
    given = export_transform(digits.config, checkpoint(digits), str(tmp_path / 'a'), cfg_options=digits.cfg_options)
    found = export_transform(dumped(), checkpoint(digits), str(tmp_path / 'b'))
    assert replace(found, backfill_seconds=None) == replace(given, backfill_seconds=None)


def test_torchscript(digits, dumped, tmp_path):
    assert export_torchscript(dumped('_old'), checkpoint(digits, '_old'), str(tmp_path / 'old.pt')) == (128, 1, 1)


def test_another_training_takes_the_finished_prerequisites(digits, dumped, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in digits.root.glob('*/final.pth')}
    options = TrainingOptions(work_dir=str(tmp_path), cfg_options={'train_cfg.max_epochs': 1})
    assert train(dumped(), options, with_prerequisites=False).keys() == digits.metrics.keys()
    comparison = compare_methods(dumped(), methods=['fct+side'], options=TrainingOptions(work_dir=str(tmp_path)))
    assert 'fct+side' in comparison.methods
    assert before == {path: path.stat().st_mtime_ns for path in digits.root.glob('*/final.pth')}


def test_a_prerequisite_without_its_config_is_named(digits, dumped, tmp_path):
    (tmp_path / 'alone.py').write_text(Path(dumped()).read_text().replace('resnet10_digits_side.py', 'elsewhere.py'))
    with pytest.raises(FileNotFoundError, match=r'config .*elsewhere\.py. does not exist'):
        train(str(tmp_path / 'alone.py'), TrainingOptions(work_dir=str(tmp_path)))
