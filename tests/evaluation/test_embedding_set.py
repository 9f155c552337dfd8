"""Blocks of embeddings."""

from __future__ import annotations

import pytest
import torch

from mmfct.evaluation.embedding_set import concatenate, stack_samples


def make_sample(index: int, **changes: object) -> dict:
    embeddings = {'old': torch.full((3,), float(index)), 'new': torch.full((2,), -float(index))}
    return {'embeddings': embeddings, 'gt_label': index % 2, 'sample_idx': index} | changes


def test_samples_become_one_block_per_role():
    block = stack_samples([make_sample(4), make_sample(7, gt_label=torch.tensor([1]))])
    assert block.widths == {'old': 3, 'new': 2}
    torch.testing.assert_close(block.embeddings['old'], torch.tensor([[4.0] * 3, [7.0] * 3]))
    assert block.labels.tolist() == [0, 1]
    assert block.ids.tolist() == [4, 7]


def test_half_floats_become_floats_and_leave_the_graph():
    sample = make_sample(1, embeddings={'new': torch.ones(2, dtype=torch.half, requires_grad=True)})
    rows = stack_samples([sample]).embeddings['new']
    assert rows.dtype == torch.float32
    assert not rows.requires_grad


def test_concatenate_keeps_the_order():
    blocks = [stack_samples([make_sample(i), make_sample(i + 1)]) for i in (0, 2)]
    joined = concatenate(blocks)
    assert joined.ids.tolist() == [0, 1, 2, 3]
    assert joined.embeddings['new'][:, 0].tolist() == [0, -1, -2, -3]
    assert joined.labels.tolist() == [0, 1, 0, 1]


def test_single_block_is_not_copied():
    block = stack_samples([make_sample(0)])
    assert concatenate([block]) is block


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


def test_sample_without_a_class_is_refused():
    with pytest.raises(ValueError, match='`gt_label` must be a class, got -1: images without one cannot be scored'):
        stack_samples([make_sample(0), make_sample(1, gt_label=-1)])
