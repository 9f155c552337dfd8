"""Curves of partial backfills; `apis/plan_backfill` compares whole curves with a plain loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmfct.evaluation import backfill_curves as backfill_curves_module
from mmfct.evaluation.backfill_curves import area, backfill_curves, fractions
from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.evaluation.scores import mean_scores, score_pair


@pytest.fixture
def new() -> EmbeddingSet:
    return EmbeddingSet(torch.randn(30, 4) * torch.rand(30, 1), torch.arange(30) % 3, torch.arange(30))


@pytest.mark.parametrize('distance', ['l2', 'cosine'])
def test_a_curve_goes_from_the_upgraded_to_the_new_gallery(new, distance):
    upgraded = replace(new, embeddings=new.embeddings + torch.randn(30, 4))
    before = upgraded.embeddings.clone()
    orders = dict(up=np.arange(30), down=np.arange(30)[::-1].copy())
    curves = backfill_curves(new, upgraded, new, orders, distance=distance)
    ends = [mean_scores(score_pair(new, gallery, distance=distance)).means for gallery in (upgraded, new)]
    for name in orders:
        for score, values in curves[name].items():
            assert len(values) == 22 and [values[0], values[-1]] == [end[score] for end in ends]
    assert curves['up'] != curves['down']
    assert torch.equal(upgraded.embeddings, before)


def test_parts_of_a_gallery_are_rounded_down(new, monkeypatch):
    """Of 30 rows, 1/21 is 1.43 and 2/21 is 2.86 rows."""
    upgraded, replaced = replace(new, embeddings=new.embeddings + 100), []
    original = backfill_curves_module.score_pair

    def count(query, gallery, **options):
        replaced.append(int((gallery.embeddings < 50).all(dim=1).sum()))
        return original(query, gallery, **options)

    monkeypatch.setattr(backfill_curves_module, 'score_pair', count)
    backfill_curves(new, upgraded, new, dict(up=np.arange(30)))
    assert replaced[2:] == [int(30 * point / 21 + 1e-9) for point in range(1, 21)]  # after both ends
    assert replaced[2:4] == [1, 2]


def test_a_gallery_without_matches_is_refused(new):
    lonely = replace(new, labels=new.labels + 3)
    with pytest.raises(ValueError, match='a query must have a match in the gallery, got none among 30 queries'):
        backfill_curves(new, lonely, lonely, {})


def test_fractions_and_area():
    assert fractions() == pytest.approx(np.linspace(0, 1, 22))
    assert fractions(0.5) == pytest.approx(np.linspace(0.5, 1, 22))
    assert area([0.0, 0.5, 1.0]) == 0.5
