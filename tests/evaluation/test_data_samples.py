"""From data samples to sets, on one rank; test_compatibility_metric_ranks.py has real ranks."""

from __future__ import annotations

import pytest
import torch

from mmfct.evaluation import data_samples as module
from mmfct.evaluation.data_samples import Roles, concatenate, gather_over_ranks, stack_samples, widths
from mmfct.evaluation.embedding_set import sets_of_roles


def make_sample(index: int, **changes: object) -> dict:
    embeddings = {'old': torch.full((3,), float(index)), 'new': torch.full((2,), -float(index))}
    return {'embeddings': embeddings, 'gt_label': index % 2, 'sample_idx': index} | changes


def make_set(count: int) -> Roles:
    ids = torch.arange(count)
    return sets_of_roles({'new': ids[:, None].float()}, ids % 2, ids)


def test_samples_become_one_set_per_role():
    batch = stack_samples([make_sample(4), make_sample(7, gt_label=torch.tensor([1]))])
    assert widths(batch) == {'old': 3, 'new': 2}
    torch.testing.assert_close(batch['old'].embeddings, torch.tensor([[4.0] * 3, [7.0] * 3]))
    for items in batch.values():
        assert items.labels.tolist() == [0, 1]
        assert items.ids.tolist() == [4, 7]


def test_half_floats_become_floats_and_leave_the_graph():
    sample = make_sample(1, embeddings={'new': torch.ones(2, dtype=torch.half, requires_grad=True)})
    rows = stack_samples([sample])['new'].embeddings
    assert rows.dtype == torch.float32
    assert not rows.requires_grad


def test_concatenate_keeps_the_order():
    batches = [stack_samples([make_sample(i), make_sample(i + 1)]) for i in (0, 2)]
    joined = concatenate(batches)
    assert joined['new'].ids.tolist() == [0, 1, 2, 3]
    assert joined['new'].embeddings[:, 0].tolist() == [0, -1, -2, -3]
    assert joined['old'].embeddings[:, 0].tolist() == [0, 1, 2, 3]
    assert joined['old'].labels.tolist() == [0, 1, 0, 1]


def test_single_batch_is_not_copied():
    batch = stack_samples([make_sample(0)])
    assert concatenate([batch]) is batch


@pytest.mark.parametrize('key', ['embeddings', 'gt_label', 'sample_idx'])
def test_sample_without_an_entry_is_refused(key):
    sample = make_sample(0)
    del sample[key]
    with pytest.raises(KeyError, match=f'a data sample must have `{key}`'):
        stack_samples([make_sample(1), sample])


@pytest.mark.parametrize(
    'embeddings',
    [
        {'old': torch.zeros(3)},
        {'old': torch.zeros(3), 'new': torch.zeros(4)},
        {'old': torch.zeros(3), 'new': torch.zeros(1, 2)},
    ],
    ids=['missing role', 'other width', 'not a vector'],
)
def test_samples_that_do_not_fit_together_are_refused(embeddings):
    with pytest.raises(ValueError, match=r"same roles to vectors .* got shapes \{'old': \(3,\)"):
        stack_samples([make_sample(0), make_sample(1, embeddings=embeddings)])


def test_sample_with_several_labels_is_refused():
    with pytest.raises(ValueError, match=r'`gt_label` must be a single class index, got \[1, 2\]'):
        stack_samples([make_sample(0, gt_label=torch.tensor([1, 2]))])


def test_a_label_is_a_class_or_unknown():
    assert stack_samples([make_sample(0), make_sample(1, gt_label=-1)])['new'].labels.tolist() == [0, -1]
    with pytest.raises(ValueError, match='`gt_label` must be a class from 0, or -1 for an unknown one, got -2'):
        stack_samples([make_sample(0), make_sample(1, gt_label=-2)])


def test_one_rank_only_cuts_to_size():
    gathered = gather_over_ranks(make_set(5), 4)['new']
    assert gathered.ids.tolist() == [0, 1, 2, 3]
    assert gathered.labels.tolist() == [0, 1, 0, 1]
    assert gathered.embeddings.shape == (4, 1)


def test_ranks_take_turns(monkeypatch):
    # Three ranks have 0, 3, 6; 1, 4; and 2.
    monkeypatch.setattr(module, 'gather_parts', lambda rows: [rows, rows[:2] + 1, rows[:1] + 2])
    ids = torch.tensor([0, 3, 6])
    mine = sets_of_roles({'new': ids[:, None].float()}, ids, ids)
    for size, expected in ((6, [0, 1, 2, 3, 4, 6]), (4, [0, 1, 2, 3])):
        gathered = gather_over_ranks(mine, size)['new']
        assert gathered.ids.tolist() == gathered.labels.tolist() == gathered.embeddings[:, 0].tolist() == expected


def test_nothing_on_any_rank_is_refused():
    with pytest.raises(ValueError, match='no embeddings to evaluate: `process` must be called'):
        gather_over_ranks(None, 4)


def test_ranks_with_other_roles_are_refused(monkeypatch):
    monkeypatch.setattr(module, 'all_gather_object', lambda held: [held, {'new': 2}])
    with pytest.raises(ValueError, match=r"on all ranks, got \{'new': 1\} and \{'new': 2\}"):
        gather_over_ranks(make_set(5), 10)
