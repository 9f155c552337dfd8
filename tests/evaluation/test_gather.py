"""Gathering over ranks without ranks; test_compatibility_metric_ranks.py has real ones."""

from __future__ import annotations

import pytest
import torch

from mmfct.evaluation import gather
from mmfct.evaluation.embedding_set import EmbeddingSet


def make_set(count: int) -> EmbeddingSet:
    ids = torch.arange(count)
    return EmbeddingSet({'new': ids[:, None].float()}, ids % 2, ids)


def test_one_rank_only_cuts_to_size():
    gathered = gather.gather_over_ranks(make_set(5), 4)
    assert gathered.ids.tolist() == [0, 1, 2, 3]
    assert gathered.labels.tolist() == [0, 1, 0, 1]
    assert gathered.embeddings['new'].shape == (4, 1)


def test_nothing_on_any_rank_is_refused():
    with pytest.raises(ValueError, match='no embeddings to evaluate: `process` must be called'):
        gather.gather_over_ranks(None, 4)


def test_ranks_with_other_roles_are_refused(monkeypatch):
    monkeypatch.setattr(gather, 'all_gather_object', lambda held: [held, (5, {'new': 2})])
    with pytest.raises(ValueError, match=r"on all ranks, got \{'new': 1\} and \{'new': 2\}"):
        gather.gather_over_ranks(make_set(5), 10)
