"""Transformations learned from vectors that are made here: what is learned from, what is scored, and the table."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from mmfct.apis.learn_transform import LearnSettings


@pytest.fixture
def data(tmp_path) -> str:
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 6
    content = np.eye(6)[labels] + 0.4 * rng.normal(size=(400, 6))
    arrays = {'label': labels, 'path': np.array([f'{number}.jpg' for number in range(400)])}
    for network, width in (('lite0', 12), ('lite1', 7), ('lite2', 9)):
        vectors = np.tanh(content @ rng.normal(size=(6, width)) + 0.1 * rng.normal(size=(400, width)))
        arrays[network] = vectors.astype(np.float32)
    parts = {
        f'{split}_{name}': part
        for name, rows in arrays.items()
        for split, part in zip(('train', 'val', 'test'), np.split(rows, [200, 260]), strict=True)
    }
    np.savez(tmp_path / 'a.npz', **parts)
    return str(tmp_path / 'a.npz')


def test_from_a_file_to_the_table(tool, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, 'run_cases', lambda run, cases, jobs: [print(run(*case)) for case in cases])
    monkeypatch.setattr(tool, 'LearnSettings', lambda seed: LearnSettings(epochs=2, folds=2, seed=seed))
    words = [data, '--seeds', '0', '1', '--sizes', '150', '--folder', str(tmp_path / 'out')]
    monkeypatch.setattr(sys, 'argv', ['learned_vectors.py', *words])
    tool.main()
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith('| 150')]
    results = [json.loads((tmp_path / f'out/a_lite0_lite2_150_{seed}.json').read_text()) for seed in (0, 1)]
    for result in results:
        rows = result['rows']
        assert rows['new/new']['recall@10'] == 1 and rows['chosen'] == rows[result['chosen']]
        candidates = [rows[name]['recall@10'] for name in rows if '/' not in name]
        assert result['behind'] == pytest.approx(100 * (max(candidates) - rows['chosen']['recall@10']))
        assert rows['ridge+side']['recall@10'] > rows['ridge']['recall@10'] > rows['old/old']['recall@10'] / 2
    mean = 50 * sum(result['rows']['ridge']['map'] for result in results)
    (line,) = [line for line in table if line.split('|')[2].strip() == 'ridge']
    assert f'{mean:.1f} ±' in line and line.rstrip('| ').endswith('2')


def test_every_class_or_those_with_even_numbers(tool, data):
    arguments = dict(vectors=data, old='lite0', new='lite2', side='lite1')
    few, whole = (
        tool.read_pairs(type('Arguments', (), dict(arguments, keep_even=keep)), ('train', 'val'))
        for keep in (True, False)
    )
    assert len(whole) == 260 and torch.equal(few.labels, whole.labels[whole.labels % 2 == 0])
    assert torch.equal(few.side, whole.side[whole.labels % 2 == 0])
