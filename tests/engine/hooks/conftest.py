"""What the tests of parameters per training instance share."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope='session')
def toy() -> SimpleNamespace:
    """The network, data set and Runner of `toy_instances.py`, and that file."""
    file = Path(__file__).with_name('toy_instances.py')
    return SimpleNamespace(file=file, **runpy.run_path(str(file)))
