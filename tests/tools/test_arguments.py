"""What the command lines of all tools have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

TOOLS = sorted(path.name for path in (Path(__file__).parents[2] / 'tools').glob('[!_]*.py'))


@pytest.mark.parametrize('tool', TOOLS)
def test_help_has_an_example(run_tool, capsys, tool):
    assert run_tool(tool, '--help') == 0
    assert f'Example:\n    python tools/{tool} ' in capsys.readouterr().out
