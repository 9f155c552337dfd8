"""What tests of the measurement tools share."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / 'tools/benchmarks'


@pytest.fixture
def tool(request, monkeypatch):
    """The tool of ``tools/benchmarks`` that a test file is named after, as a module of its own."""
    name = request.module.__name__.rpartition('.')[2].removeprefix('test_')
    monkeypatch.syspath_prepend(str(BENCHMARKS))  # a script finds those beside it
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
