"""What the tests of data sets share."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope='session')
def files() -> SimpleNamespace:
    """The functions that write tiny folders in CityScapes' formats."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name('cityscapes_files.py'))))


@pytest.fixture(scope='session')
def cityscapes_root(tmp_path_factory, files) -> str:
    """Four training and two validation images in CityScapes' folders; change nothing."""
    return files.write_cityscapes(tmp_path_factory.mktemp('cityscapes'))


@pytest.fixture(scope='session')
def npy_root(tmp_path_factory, files) -> str:
    """As `cityscapes_root`, in the pre-processed form."""
    return files.write_npy(tmp_path_factory.mktemp('npy'))
