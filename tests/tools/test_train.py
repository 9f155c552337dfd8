"""The command line of the training tool."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

from mmfct.apis.training.dry_run.stage import Stage
from mmfct.apis.training.options import TrainingOptions

TOOL = Path(__file__).parents[2] / 'tools/train.py'


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the tool with a `train` that only notes how it was called."""

    monkeypatch.chdir(tmp_path)
    (tmp_path / 'c.py').touch()

    def run(*words: str) -> tuple:
        calls = []
        monkeypatch.setattr('mmfct.apis.training.train.train', lambda *args, **kwargs: calls.append((args, kwargs)))
        monkeypatch.setattr('sys.argv', [str(TOOL), *words])
        monkeypatch.setenv('LOCAL_RANK', '')  # so that what the tool sets is taken back
        monkeypatch.delenv('LOCAL_RANK')
        runpy.run_path(str(TOOL), run_name='__main__')
        ((args, kwargs),) = calls
        return *args, kwargs

    return run


def test_defaults(run):
    assert run('c.py') == ('c.py', TrainingOptions(), dict(with_prerequisites=True))


@pytest.mark.parametrize(
    ('words', 'options'),
    [
        (['--work-dir', 'a/b'], dict(work_dir='a/b')),
        (['--resume'], dict(resume='auto')),
        (['--resume', 'a.pth'], dict(resume='a.pth')),
        (['--amp'], dict(amp=True)),
        (['--no-validate'], dict(no_validate=True)),
        (['--auto-scale-lr'], dict(auto_scale_lr=True)),
        (['--no-pin-memory'], dict(no_pin_memory=True)),
        (['--no-persistent-workers'], dict(no_persistent_workers=True)),
        (['--verbose'], dict(verbose=True)),
        (['--launcher', 'slurm'], dict(launcher='slurm')),
        (
            ['--cfg-options', 'a=1', 'b.c=[x,2.5]', 'd=True', 'e=None', 'f=a/b'],
            dict(cfg_options={'a': 1, 'b.c': ['x', 2.5], 'd': True, 'e': None, 'f': 'a/b'}),
        ),
        (['--cfg-options', 'a=1', '--cfg-options', 'b=2'], dict(cfg_options=dict(a=1, b=2))),
    ],
)
def test_every_option_arrives(run, words, options):
    assert run('c.py', *words) == ('c.py', TrainingOptions(**options), dict(with_prerequisites=True))


def test_no_prerequisites(run):
    assert run('c.py', '--no-prerequisites')[2] == dict(with_prerequisites=False)


@pytest.mark.parametrize('word', ['--local-rank', '--local_rank'])
def test_local_rank_of_older_launchers(run, word):
    run('c.py', word, '3')
    assert os.environ['LOCAL_RANK'] == '3'


def test_a_missing_config_is_named(run, capsys):
    with pytest.raises(SystemExit, match='2'):
        run('missing.py')
    assert "error: there is no config 'missing.py'" in capsys.readouterr().err


@pytest.mark.parametrize(('failures', 'status'), [({}, 0), (dict(training='no memory'), 1)])
def test_a_dry_run_trains_nothing_and_its_exit_status_is_the_verdict(run, monkeypatch, capsys, failures, status):
    calls = []

    def dry_run(*args, **kwargs):
        calls.append((args, kwargs))
        return [Stage('c.py', failures=failures)]

    monkeypatch.setattr('mmfct.apis.training.dry_run.dry_run', dry_run)
    with pytest.raises(SystemExit) as end:
        run('c.py', '--dry-run', '--no-prerequisites', '--amp')
    assert end.value.code == status
    assert calls == [(('c.py', TrainingOptions(amp=True)), dict(with_prerequisites=False))]
    assert ('failed: c.py: training: no memory' in capsys.readouterr().out) == bool(status)
