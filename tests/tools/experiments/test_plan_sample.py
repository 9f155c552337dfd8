"""Which way to choose pairs is better: the split, the score, and a run on vectors that are made here."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mmfct.apis.plan_sample import METHODS


@pytest.fixture
def file(tmp_path, tool, monkeypatch):
    """Two files of vectors, of 90 and 75 images; 30 of each are not in the gallery."""
    monkeypatch.setattr(tool, 'TEST_ROWS', 30)
    rng = np.random.default_rng(0)
    for name, rows in (('a', 90), ('b', 75)):
        content = rng.normal(size=(rows, 6)) + 3 * (name == 'b')
        arrays = {}
        for network, width in (('lite0', 12), ('lite2', 9)):
            vectors = np.tanh(content @ rng.normal(size=(6, width)) / 3).astype(np.float32)
            parts = np.split(vectors, [40, 60])
            arrays |= {f'{split}_{network}': part for split, part in zip(('train', 'val', 'test'), parts, strict=True)}
        np.savez(tmp_path / f'{name}.npz', **arrays)
    return lambda name: str(tmp_path / f'{name}.npz')


def test_images_are_split_by_the_seed(tool, file):
    networks = ('lite0', 'lite2')
    (old, new), others = tool.read_split(f'{file("a")}+{file("b")}:0.2', networks, 0)
    assert (old.shape, new.shape) == ((60 + 9, 12), (60 + 9, 9))
    assert [part.shape for pair in others for part in pair] == [(30, 12), (30, 9)] * 2
    np.testing.assert_allclose(np.linalg.norm(old, axis=1), 1, rtol=1e-6)
    everything = np.concatenate([old, others[0][0], others[1][0]])
    assert len(np.unique(everything, axis=0)) == len(everything)
    again = tool.read_split(f'{file("a")}+{file("b")}:0.2', networks, 1)
    assert not np.array_equal(again[0][0], old)


def test_the_score_of_a_plain_loop(tool, file):
    (old, new), others = tool.read_split(file('a'), ('lite0', 'lite2'), 0)
    assert tool.score((old, new), [(old, old @ np.eye(12, 9, dtype=np.float32))])[0] < 1
    pairs = [torch.from_numpy(rows) for rows in (old, new)]
    upgraded = tool.fit_ridge(tool.Moments.of(*pairs), *pairs).map(torch.from_numpy(others[0][0])).numpy()
    wanted = others[0][1]
    hits = []
    for one in range(30):
        rest = [other for other in range(30) if other != one]

        def nearest(gallery, one=one, rest=rest):
            away = [gallery[other] @ wanted[one] / np.linalg.norm(gallery[other]) for other in rest]
            return {rest[place] for place in np.argsort(away)[-10:]}

        hits.append(len(nearest(upgraded) & nearest(wanted)) / 10)
    assert tool.score((old, new), others) == [pytest.approx(np.mean(hits))]


def test_every_way_is_measured_against_random(tool, file, tmp_path, monkeypatch, capsys):
    data = f'{file("a")}+{file("b")}'
    words = [data, '--sizes', '20', '500', '--seeds', '0', '1', '--folder', str(tmp_path / 'runs')]
    monkeypatch.setattr('sys.argv', ['plan_sample.py', *words])
    monkeypatch.setattr(tool, 'run_cases', lambda run, cases, jobs: [run(*case) for case in cases])
    tool.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('|')]
    assert len(lines) == 2 + len(METHODS) + 1
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
    assert cells[0] == ['pairs', 'chosen by', 'recall@10 (1)', '- random', 'recall@10 (2)', '- random', 'distance']
    assert [row[:2] for row in cells[2:]] == [*(['20', by] for by in METHODS), ['105', 'all']]
    results = [
        json.loads(tool.result_file(tmp_path / 'runs', data, ('lite0', 'lite2'), [20, 500], seed).read_text())['20']
        for seed in (0, 1)
    ]
    gains = [100 * (one['coverage']['recalls'][0] - one['random']['recalls'][0]) for one in results]
    coverage = cells[2 + METHODS.index('coverage')]
    assert coverage[3] == f'{np.mean(gains):.1f} ± {np.std(gains, ddof=1):.1f}'
    monkeypatch.setattr(tool, 'run_case', None)
    tool.main()  # finished cases are not run again
    assert lines[0] in capsys.readouterr().out


def test_files_that_are_missing(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['plan_sample.py', str(tmp_path / 'no.npz'), '--folder', str(tmp_path)])
    monkeypatch.setattr(tool, 'run_cases', lambda run, cases, jobs: [run(*case) for case in cases])
    with pytest.raises(SystemExit):
        tool.main()
    assert 'no.npz' in capsys.readouterr().err
