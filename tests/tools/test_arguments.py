"""What the command lines of all tools have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

TOOLS = sorted(path.name for path in (Path(__file__).parents[2] / 'tools').glob('[!_]*.py'))


@pytest.mark.parametrize('tool', TOOLS)
def test_help_has_an_example(run_tool, capsys, tool):
    assert run_tool(tool, '--help') == 0
    assert f'Example:\n    python tools/{tool} ' in capsys.readouterr().out


@pytest.mark.parametrize('device', ['cuda:7', 'cdua', 'cpu:cpu'])
@pytest.mark.parametrize('tool', ['extract_gallery.py', 'upgrade_gallery.py', 'find_corrupt_labels.py'])
def test_a_device_that_is_not_there(run_tool, capsys, tool, device):
    assert run_tool(tool, __file__, __file__, 'out', '--device', device) == 2
    message = capsys.readouterr().err
    assert f'argument --device: {device!r} cannot be used here: ' in message and 'leave --device out' in message
