"""The command line of the test tool."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

from mmfct.apis.training.options import TrainingOptions

TOOL = Path(__file__).parents[2] / 'tools/test.py'


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the tool with a `test` that only notes how it was called."""

    monkeypatch.chdir(tmp_path)
    (tmp_path / 'c.py').touch()

    def run(*words: str) -> tuple:
        calls = []
        monkeypatch.setattr('mmfct.apis.training.test.test', lambda *args, **kwargs: calls.append((args, kwargs)))
        monkeypatch.setattr('sys.argv', [str(TOOL), *words])
        monkeypatch.setenv('LOCAL_RANK', '')  # so that what the tool sets is taken back
        monkeypatch.delenv('LOCAL_RANK')
        runpy.run_path(str(TOOL), run_name='__main__')
        ((args, kwargs),) = calls
        return *args, kwargs

    return run


DEFAULTS = dict(out=None, out_item='pred', show_dir=None, tta=False)


def test_defaults(run):
    assert run('c.py', 'h.pth') == ('c.py', 'h.pth', TrainingOptions(), DEFAULTS)


@pytest.mark.parametrize(
    ('words', 'options', 'keywords'),
    [
        (['--work-dir', 'a/b'], dict(work_dir='a/b'), {}),
        (['--amp'], dict(amp=True), {}),
        (['--verbose'], dict(verbose=True), {}),
        (['--no-pin-memory'], dict(no_pin_memory=True), {}),
        (['--launcher', 'mpi'], dict(launcher='mpi'), {}),
        (['--cfg-options', 'a=1', 'b.c=x'], dict(cfg_options={'a': 1, 'b.c': 'x'}), {}),
        (['--out', 'm.json', '--out-item', 'metrics'], {}, dict(out='m.json', out_item='metrics')),
        (['--show-dir', 'a'], {}, dict(show_dir='a')),
        (['--tta'], {}, dict(tta=True)),
    ],
)
def test_every_option_arrives(run, words, options, keywords):
    assert run('c.py', 'h.pth', *words) == ('c.py', 'h.pth', TrainingOptions(**options), DEFAULTS | keywords)


@pytest.mark.parametrize('word', ['--local-rank', '--local_rank'])
def test_local_rank_of_older_launchers(run, word):
    run('c.py', 'h.pth', word, '3')
    assert os.environ['LOCAL_RANK'] == '3'


def test_a_missing_config_is_named(run, capsys):
    with pytest.raises(SystemExit, match='2'):
        run('missing.py', 'h.pth')
    assert "error: there is no config 'missing.py'" in capsys.readouterr().err
