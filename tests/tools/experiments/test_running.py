"""The arguments that the experiments share, and how they run tools and trainings."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def test_arguments(tool):
    args = tool.experiment_parser('Text.', 'name').parse_args([])
    assert vars(args) == dict(seeds=[0, 1, 2], folder=Path('work_dirs/name'))
    words = ['--seeds', '3', '4', '--folder', 'a', '--jobs', '2']
    args = tool.experiment_parser('Text.', 'name', jobs='seeds').parse_args(words)
    assert vars(args) == dict(seeds=[3, 4], folder=Path('a'), jobs=2)


def test_tools_run_with_one_thread_in_the_project(tool, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(tool.subprocess, 'run', lambda command, **options: calls.append((command, options)))
    tool.run_tool('tools/train.py', 'config.py', Path('out'))
    ((command, options),) = calls
    assert command[1:] == [str(tool.ROOT / 'tools/train.py'), 'config.py', 'out']
    environment = os.environ | dict(OMP_NUM_THREADS='1')
    assert options == dict(check=True, env=environment, cwd=tool.ROOT, stdout=subprocess.DEVNULL)
    assert capsys.readouterr().out == 'tools/train.py config.py out\n'


def test_a_tool_that_fails_stops_the_experiment(tool):
    with pytest.raises(subprocess.CalledProcessError):
        tool.run_tool('tools/none.py')


def test_cases_run_in_processes_of_their_own(tool, capsys):
    tool.run_cases(os.path.join, [('a', 'b'), ('c', 'd')], 2)
    assert capsys.readouterr().out == '1/2 a/b\n2/2 c/d\n'
