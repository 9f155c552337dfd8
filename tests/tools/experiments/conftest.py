"""What the tests of the experiments share."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[3] / 'tools/experiments'


@pytest.fixture
def tool(request, monkeypatch):
    """A tool of ``tools/experiments`` as a module of its own: the parameter, or what the test file is named after."""
    name = getattr(request, 'param', request.module.__name__.rpartition('.')[2].removeprefix('test_'))
    monkeypatch.syspath_prepend(str(EXPERIMENTS))  # a script finds those beside it
    spec = importlib.util.spec_from_file_location(name, EXPERIMENTS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def commands(tool, monkeypatch) -> list[tuple[str, ...]]:
    """Commands that the tool would have run."""
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(tool, 'run_tool', lambda *words: commands.append(words))
    return commands
