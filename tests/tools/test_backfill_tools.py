"""The command lines of partial backfills."""

from __future__ import annotations

from mmfct.retrieval import Gallery


def test_plan_and_mix(run_tool, switch, tmp_path, capsys):
    sets = ['--new', switch.new, '--query', switch.new]
    assert run_tool('plan_backfill.py', switch.upgraded, tmp_path / 'plan', '--order', 'oracle', 'random', *sets) == 0
    assert (tmp_path / 'plan/backfill.png').exists()
    assert run_tool('mix_galleries.py', switch.upgraded, switch.new, tmp_path / 'mixed') == 0
    assert Gallery(tmp_path / 'mixed').column('origin').sum() == 60


def test_bad_input(run_tool, switch, tmp_path, capsys):
    assert run_tool('plan_backfill.py', switch.upgraded, tmp_path / 'plan', '--order', 'best') == 2
    assert run_tool('mix_galleries.py', switch.upgraded, switch.old, tmp_path / 'mixed') == 2
    errors = capsys.readouterr().err
    assert 'error: `orders` must be among' in errors
    assert 'error: `recomputed` must come from the model of the gallery' in errors
