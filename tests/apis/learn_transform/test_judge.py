"""Scores of held-out pairs, against plain loops."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import spearmanr
from torch.nn.functional import normalize

from mmfct.apis.learn_transform.curve import advice
from mmfct.apis.learn_transform.judge import Scores, bounds, make_folds, score
from mmfct.functional import pairwise_distances


@pytest.mark.parametrize('size', [103, 20_000])
def test_folds_hold_out_each_pair_once_or_one_part(size):
    folds = make_folds(torch.arange(size), folds=5, one_fold_from=10_000, max_held_out=3000, seed=1)
    assert len(folds) == (5 if size == 103 else 1)
    for fold in folds:
        assert sorted([*fold.train.tolist(), *fold.held_out.tolist()]) == list(range(size))
    held_out = torch.cat([fold.held_out for fold in folds])
    assert len(held_out.unique()) == len(held_out) == (103 if size == 103 else 3000)


@pytest.mark.parametrize('one_fold_from', [10, 1000])
def test_views_of_an_item_stay_together(one_fold_from):
    items = torch.randint(60, (300,), generator=torch.Generator().manual_seed(0))
    folds = make_folds(items, folds=4, one_fold_from=one_fold_from, max_held_out=15, seed=1)
    for fold in folds:
        held_out = items[fold.held_out].tolist()
        assert len({*held_out}) == len(held_out)
        assert [items.tolist().index(item) for item in held_out] == fold.held_out.tolist()
        assert [row for row, item in enumerate(items.tolist()) if item not in held_out] == fold.train.tolist()
    number = len(items.unique())
    assert sum(len(fold.held_out) for fold in folds) == (number if one_fold_from == 1000 else number // 4)


@pytest.mark.parametrize('distance', ['cosine', 'l2'])
def test_scores(make_pairs, distance):
    pairs = make_pairs(120, distance=distance)
    gallery = pairs.new + torch.randn(120, 10, generator=torch.Generator().manual_seed(0))
    found = score(pairs, gallery)
    right, got = (pairwise_distances(pairs.new, rows, distance) for rows in (pairs.new, gallery))
    correlations, hits, recalls = [], [], {1: [], 10: [], 100: []}
    for row in range(120):
        others = [other for other in range(120) if other != row]
        order, wanted = (sorted(others, key=values[row].tolist().__getitem__) for values in (got, right))
        for k, values in recalls.items():
            values.append(len({*order[:k]} & {*wanted[:k]}) / k)
        hits.append(float(pairs.labels[order[0]] == pairs.labels[row]))
        correlations.append(spearmanr(got[row, others], right[row, others]).statistic)
    assert {k: values.tolist() for k, values in found.recalls.items()} == {
        k: pytest.approx(values) for k, values in recalls.items()
    }
    assert found.rank_correlation == pytest.approx(sum(correlations) / 120, abs=1e-6)
    assert found.cmc1.nansum().item() == sum(hits)
    assert found.cosine == pytest.approx((normalize(gallery) * normalize(pairs.new)).sum(1).mean().item())
    assert found.choice == pytest.approx(sum(recalls[10]) / 120)
    rows = (normalize(pairs.new), normalize(gallery)) if distance == 'cosine' else (pairs.new, gallery)
    variance = (rows[0] - rows[0].mean(0)).square().sum()
    assert found.error == pytest.approx(((rows[1] - rows[0]).square().sum() / variance).item())


@pytest.mark.parametrize('changes', [dict(folds=10), dict(one_fold_from=50, max_held_out=5)])
def test_parts_without_ten_neighbours_are_refused(changes):
    words = dict(folds=5, one_fold_from=1000, max_held_out=100, seed=0) | changes
    with pytest.raises(ValueError, match='that is held out must have more than 10 pairs, got .* of 100 pairs; give'):
        make_folds(torch.arange(100), **words)


def test_bounds_and_pooled_folds(make_pairs):
    pairs = make_pairs(90, with_side=False)
    folds = make_folds(torch.arange(90), folds=3, one_fold_from=1000, max_held_out=10, seed=0)
    found = bounds(pairs, folds)
    assert found['new/new'].recalls[1].mean() == 1 and found['new/new'].error == 0
    assert 0 < found['old/old'].recalls[10].mean() < 1 and found['old/old'].means().keys() >= {'cmc1', 'map'}
    parts = [score(pairs.take(fold.held_out), pairs.old[fold.held_out], pairs.old[fold.held_out]) for fold in folds]
    assert torch.equal(torch.cat([part.recalls[10] for part in parts]), found['old/old'].recalls[10])
    mean = sum(part.rank_correlation for part in parts) / 3
    assert found['old/old'].rank_correlation == pytest.approx(mean)


def test_without_labels(make_pairs):
    for labels in (None, torch.full((60,), -1)):
        found = score(make_pairs(60, labels=labels), make_pairs(60).new)
        assert found.cmc1 is None and 'map' not in found.means()
    some = torch.tensor([0, 0, 1, *[-1] * 57])
    assert score(make_pairs(60, labels=some), make_pairs(60).new).cmc1.isnan().sum() == 58


def scores_of(recalls: torch.Tensor) -> Scores:
    return Scores({1: recalls, 10: recalls}, 0.0, 0.0, 0.0, None, None)


def test_advice_about_more_pairs():
    base = torch.rand(400, generator=torch.Generator().manual_seed(0)) * 0.5
    noise = 0.01 * torch.randn(400, generator=torch.Generator().manual_seed(1))
    assert advice({100: scores_of(base), 200: scores_of(base + 0.05 + noise)}).startswith(
        'more pairs would help: from'
    )
    assert advice({100: scores_of(base), 200: scores_of(base + 0.001 + noise)}).startswith('enough pairs: from 100 to')
    assert advice({100: scores_of(base), 200: scores_of(base + 5 * noise + 0.008)}).startswith('more pairs may help')
    fallen = advice({100: scores_of(base), 200: scores_of(base + 30 * (noise - noise.mean()) - 0.002)})
    assert fallen.startswith('too few held-out pairs to say whether more pairs would help: from 100 to 200 pairs')
    assert advice({100: scores_of(base)}).startswith('too few pairs')


def test_mapped_queries_are_compared_with_old_embeddings(make_pairs):
    pairs = make_pairs(80)
    mapped = score(pairs, pairs.old, pairs.old.clone())
    assert mapped.cosine == pytest.approx(1) and mapped.error == pytest.approx(0, abs=1e-9)
    assert not {'cosine', 'error'} & score(pairs, pairs.old, pairs.old).means().keys()
