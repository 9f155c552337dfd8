"""The command lines of the gallery's tools."""

from __future__ import annotations

import os
import runpy
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def run(monkeypatch):
    """Run a tool with functions that only note how they were called; returns the name and the arguments."""

    def run(tool: str, *words: str) -> tuple:
        calls = []

        def note(name: str):
            def function(*args, **kwargs):
                calls.append((name, args, kwargs))
                return SimpleNamespace(name='h', old='v1', new='v2', side='s', summary=lambda: 'the summary')

            return function

        for name in ('export_transform', 'extract_gallery', 'upgrade_gallery'):
            monkeypatch.setattr(f'mmfct.apis.{name}.{name}', note(name))
        monkeypatch.setattr('mmfct.apis.upgrade_gallery.estimate_upgrade', note('estimate_upgrade'))
        monkeypatch.setattr('sys.argv', [tool, *words])
        monkeypatch.setenv('LOCAL_RANK', '')  # so that what the tool sets is taken back
        monkeypatch.delenv('LOCAL_RANK')
        runpy.run_path(str(TOOLS / tool), run_name='__main__')
        (call,) = calls
        return call

    return run


def test_export(run, capsys):
    assert run('export_transform.py', 'c.py', 'h.pth', 'h.safetensors', '--cfg-options', 'a=1') == (
        'export_transform',
        ('c.py', 'h.pth', 'h.safetensors'),
        dict(cfg_options=dict(a=1)),
    )
    assert capsys.readouterr().out == 'h.safetensors: h, v1 to v2, side-information of s\n'


EXTRACT = dict(
    filename='c.py',
    checkpoint='m.pth',
    out='g',
    role=None,
    side_config=None,
    side_checkpoint=None,
    split='test',
    images=None,
    labels_from_folders=False,
    distance='l2',
    batch_size=64,
    num_workers=None,
    shard_rows=4096,
    device=None,
    launcher='none',
    cfg_options={},
)


@pytest.mark.parametrize(
    ('words', 'options'),
    [
        ([], {}),
        (['--role', 'new', '--split', 'train'], dict(role='new', split='train')),
        (['--side-config', 's.py', '--side-checkpoint', 's.pth'], dict(side_config='s.py', side_checkpoint='s.pth')),
        (['--images', 'photos', '--labels-from-folders'], dict(images='photos', labels_from_folders=True)),
        (['--distance', 'cosine', '--device', 'cpu'], dict(distance='cosine', device='cpu')),
        (['--batch-size', '3', '--workers', '2'], dict(batch_size=3, num_workers=2)),
        (['--shard-rows', '9'], dict(shard_rows=9)),
        (['--launcher', 'slurm', '--cfg-options', 'a=1'], dict(launcher='slurm', cfg_options=dict(a=1))),
    ],
)
def test_extract(run, words, options):
    assert run('extract_gallery.py', 'c.py', 'm.pth', 'g', *words) == ('extract_gallery', (), EXTRACT | options)


UPGRADE = dict(dtype='float32', batch_size=1024, device=None)


@pytest.mark.parametrize(
    ('words', 'options'),
    [
        ([], {}),
        (['--dtype', 'bfloat16', '--batch-size', '8', '--device', 'cpu'], ('bfloat16', 8, 'cpu')),
        (['--launcher', 'pytorch'], dict(launcher='pytorch')),
    ],
)
def test_upgrade(run, words, options):
    expected = UPGRADE | dict(launcher='none')
    expected |= dict(zip(UPGRADE, options, strict=True)) if isinstance(options, tuple) else options
    call = run('upgrade_gallery.py', 'v1', 'h2', 'h3', 'v3', *words)
    assert call == ('upgrade_gallery', ('v1', ['h2', 'h3'], 'v3'), expected)


def test_dry_run(run, capsys):
    call = run('upgrade_gallery.py', 'v1', 'h', 'v2', '--dry-run', '--backfill-rate', '20')
    assert call == ('estimate_upgrade', ('v1', ['h']), UPGRADE | dict(backfill_rate=20.0))
    assert capsys.readouterr().out == 'the summary\n'


@pytest.mark.parametrize('tool', ['extract_gallery.py', 'upgrade_gallery.py'])
def test_signals_and_ranks(monkeypatch, tool):
    def stopped(*_, **__):
        assert os.environ['LOCAL_RANK'] == '3'
        os.kill(os.getpid(), signal.SIGTERM)

    for name in ('extract_gallery', 'upgrade_gallery'):
        monkeypatch.setattr(f'mmfct.apis.{name}.{name}', stopped)
    monkeypatch.setattr('sys.argv', [tool, 'a', 'b', 'c', '--local-rank', '3'])
    monkeypatch.setenv('LOCAL_RANK', '')
    monkeypatch.delenv('LOCAL_RANK')
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(TOOLS / tool), run_name='__main__')
    assert caught.value.code == 143
