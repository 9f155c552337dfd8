"""The command line that decides whether a switch is safe."""

from __future__ import annotations

import pytest


@pytest.fixture
def run(run_tool, switch, tmp_path):
    """Run the tool on queries and galleries and return its exit status."""

    def run(*words: str) -> int:
        sets = ['--query', f'old={switch.old}', f'new={switch.new}']
        sets += ['--gallery', f'old={switch.old}', '--gallery', f'upgraded={switch.upgraded}']
        return run_tool('evaluate_compatibility.py', *sets, '--out', tmp_path / 'out', *words)

    return run


@pytest.mark.parametrize(
    ('words', 'status'),
    [
        ([], 0),
        (['--gate'], 0),
        (['--gate', '--baseline', 'new/upgraded', '--candidate', 'old/old', '--metric', 'cmc1'], 1),
        (['--gate', '--baseline', 'new/upgraded', '--candidate', 'old/old', '--margin', '1'], 0),
        (['--gate', '--metric', 'map', 'cmc5', '--max-lost', '0.2'], 0),
        (['--gate', '--max-lost', '0.01'], 1),
        (['--also', 'new/old'], 0),
        (['--groups', r'(\d)\.png', '--exclude', 'all'], 0),
    ],
)
def test_exit_status(run, words, status, tmp_path):
    assert run(*words) == status
    assert (tmp_path / 'out/gate.md').exists() == ('--gate' in words)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--query', 'old=a'], "error: names must be different, got 'old'"),
        (['--gallery', 'x=missing'], 'error: `path` must be a folder with a manifest.json'),
        (['--gate', '--confidence', '2'], 'error: `confidence` must lie between 0 and 1, got 2.0'),
        (['--gate', '--margin', '-1'], 'error: `margin` must be at least 0'),
        (['--gate', '--max-lost', '2'], 'error: `max_lost` must be a share in [0, 1]'),
        (['--gate', '--metric', 'recall1'], 'error: a gate on recall1 of old/old and new/upgraded needs agreement'),
    ],
)
def test_bad_input(run, words, message, capsys):
    assert run(*words) == 2
    assert message in capsys.readouterr().err
