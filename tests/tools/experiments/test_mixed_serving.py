"""A gallery of which a part is upgraded: the rules to merge, the scores, and a run on vectors that are made here."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mmfct.functional import pairwise_distances, query_scores

NETWORKS = ('lite0', 'lite2', 'lite1')


@pytest.fixture
def merging(tool):
    """The module of the rules, which the tool has imported."""
    import merging

    return merging


@pytest.fixture
def data(tmp_path, tool, monkeypatch):
    """A file of vectors of 260 images, of which 80 are gallery and queries."""
    monkeypatch.setattr(tool, 'TEST_ROWS', 80)
    rng = np.random.default_rng(0)
    labels = np.arange(260) % 5
    content = np.eye(6)[labels] + 0.4 * rng.normal(size=(260, 6))
    arrays = {}
    for network, width in (('lite0', 12), ('lite1', 7), ('lite2', 9)):
        vectors = np.tanh(content @ rng.normal(size=(6, width)) + 0.1 * rng.normal(size=(260, width)))
        arrays[network] = vectors.astype(np.float32)
    arrays['label'] = labels
    parts = {
        f'{split}_{name}': part
        for name, rows in arrays.items()
        for split, part in zip(('train', 'val', 'test'), np.split(rows, [150, 200]), strict=True)
    }
    np.savez(tmp_path / 'a.npz', **parts)
    return str(tmp_path / 'a.npz')


def test_images_are_split_by_the_seed(tool, data):
    pairs, others = tool.read_split(data, NETWORKS, 0)
    assert (len(pairs), len(others)) == (180, 80)
    assert (pairs.old.shape[1], pairs.new.shape[1], pairs.side.shape[1]) == (12, 9, 7)
    assert sorted(map(int, [*pairs.ids, *others.ids])) == list(range(260))
    assert pairs.models['new'].name == 'lite2'
    assert not np.array_equal(tool.read_split(data, NETWORKS, 1)[1].ids, others.ids)


def test_scores_are_those_of_the_library(tool, data):
    _, others = tool.read_split(data, NETWORKS, 0)
    own = torch.arange(80)
    distances = pairwise_distances(others.new.double(), others.new.double(), 'cosine')
    distances[own, own] = torch.inf
    found = tool.score(distances, distances.argsort(dim=1)[:, :10], others.labels)
    wanted = query_scores(
        others.new, others.new, others.labels, others.labels, query_ids=own, gallery_ids=own, distance='cosine'
    )
    assert found == pytest.approx(
        {'recall@10': 1, 'CMC-1': wanted.cmc[:, 0].mean().item(), 'mAP': wanted.average_precision.mean().item()}
    )


@pytest.mark.parametrize('rule', ['matched', 'raw'])
def test_equal_spaces_are_merged_exactly(merging, rule):
    distances = torch.rand(60, 60, dtype=torch.float64).fill_diagonal_(torch.inf)
    scaled = 3 * distances + 2 if rule == 'matched' else distances
    merged = merging.merge(rule, scaled, distances, torch.arange(0, 60, 2), 0)
    torch.testing.assert_close(merged, distances)


def test_other_rules(merging):
    old = torch.tensor([[torch.inf, 1.0, 2, 3, 9, 9, 9]]).double()
    new = torch.tensor([[9.0, 9, 9, 9, 10, 30, 20]]).double()
    upgraded = torch.tensor([4, 5, 6])
    fused = merging.merge('fusion', old, new, upgraded, 0)
    assert (-1 / fused).tolist() == [[0, 61, 62, 63, 61, 63, 62]]
    standard = merging.merge('z-scores', old, new, upgraded, 0)
    unit = 1.5**0.5
    assert standard[0].tolist() == pytest.approx([torch.inf, -unit, 0, unit, -unit, unit, 0])


def test_orders(tool):
    labels = torch.tensor([2, 0, 1, 0])
    assert tool.upgrade_order(labels, 'by class', 0).tolist() == [1, 3, 2, 0]
    assert sorted(tool.upgrade_order(labels, 'random', 0).tolist()) == [0, 1, 2, 3]


def test_the_tables(tool, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        'sys.argv', ['mixed_serving.py', data, '--seeds', '0', '1', '--folder', str(tmp_path / 'runs')]
    )
    monkeypatch.setattr(tool, 'run_cases', lambda run, cases, jobs: [run(*case) for case in cases])
    tool.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('|')]
    assert len(lines) == 2 * (2 + 1 + 3 * len(tool.RULES) + 3)
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
    assert cells[0] == ['upgraded (%)', 'merged by', 'recall@10', 'CMC-1', 'mAP']
    assert cells[3][:2] == ['10', 'matched'] and cells[-1][:3] == ['', 'new/new', '100.0 ± 0.0']
    rows = json.loads((tmp_path / 'runs/a_lite0_lite2_lite1_0.json').read_text())
    assert rows['0']['recall@10'] < rows['100']['recall@10'] < 1
    monkeypatch.setattr(tool, 'run_case', None)
    tool.main()  # finished cases are not run again
    assert lines[3] in capsys.readouterr().out
