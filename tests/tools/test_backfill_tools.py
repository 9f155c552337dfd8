"""The command lines of partial backfills."""

from __future__ import annotations

import numpy as np

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import Provenance


def test_plan_and_mix(run_tool, switch, tmp_path, capsys):
    sets = ['--new', switch.new, '--query', switch.new]
    assert run_tool('plan_backfill.py', switch.upgraded, tmp_path / 'plan', '--order', 'oracle', 'random', *sets) == 0
    assert (tmp_path / 'plan/backfill.png').exists()
    assert run_tool('mix_galleries.py', switch.upgraded, switch.new, tmp_path / 'mixed') == 0
    assert Gallery(tmp_path / 'mixed').column('origin').sum() == 60


def test_recomputed_vectors_of_another_program(run_tool, switch, tmp_path, capsys):
    new = Gallery(switch.new)
    np.save(tmp_path / 'x.npy', new.column('embedding')[:7])
    np.save(tmp_path / 'x.ids.npy', new.column('id')[:7])
    np.save(tmp_path / 'x.labels.npy', new.column('label')[:7])
    model = Provenance.from_metadata(new.metadata).embedding
    words = [switch.upgraded, tmp_path / 'x.npy', tmp_path / 'mixed']
    assert run_tool('mix_galleries.py', *words) == 2
    assert 'does not say which model made its vectors' in capsys.readouterr().err
    said = ['--model', model.name, '--fingerprint', model.fingerprint, '--distance', 'l2']
    assert run_tool('mix_galleries.py', *words, *said) == 0
    assert Gallery(tmp_path / 'mixed').column('origin').tolist() == [1] * 7 + [0] * 53


def test_bad_input(run_tool, switch, tmp_path, capsys):
    assert run_tool('plan_backfill.py', switch.upgraded, tmp_path / 'plan', '--order', 'best') == 2
    assert run_tool('mix_galleries.py', switch.upgraded, switch.old, tmp_path / 'mixed') == 2
    errors = capsys.readouterr().err
    assert 'error: `orders` must be among' in errors
    assert 'error: `recomputed` must come from the model of the gallery' in errors
