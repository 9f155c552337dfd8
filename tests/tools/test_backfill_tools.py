"""The command lines of partial backfills."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from mmfct.retrieval import Gallery

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def run(monkeypatch):
    """Run a tool and return its exit status."""

    def run(name: str, *words) -> int:
        tool = str(TOOLS / name)
        monkeypatch.setattr('sys.argv', [tool, *map(str, words)])
        with pytest.raises(SystemExit) as status:
            runpy.run_path(tool, run_name='__main__')
        return status.value.code

    return run


def test_plan_and_mix(run, switch, tmp_path, capsys):
    sets = ['--new', switch.new, '--query', switch.new]
    assert run('plan_backfill.py', switch.upgraded, tmp_path / 'plan', '--order', 'oracle', 'random', *sets) == 0
    assert (tmp_path / 'plan/backfill.png').exists()
    assert run('mix_galleries.py', switch.upgraded, switch.new, tmp_path / 'mixed') == 0
    assert Gallery(tmp_path / 'mixed').column('origin').sum() == 60


def test_bad_input(run, switch, tmp_path, capsys):
    assert run('plan_backfill.py', switch.upgraded, tmp_path / 'plan', '--order', 'best') == 2
    assert run('mix_galleries.py', switch.upgraded, switch.old, tmp_path / 'mixed') == 2
    errors = capsys.readouterr().err
    assert 'error: `orders` must be among' in errors
    assert 'error: `recomputed` must come from the model of the gallery' in errors
