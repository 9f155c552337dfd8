"""The instances that a corruption left alone."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.datasets import CleanInstances, CorruptLabels, Digits
from mmfct.instances.keys import InstanceKeys


@pytest.fixture
def corrupt() -> CorruptLabels:
    return CorruptLabels(Digits(), dict(label=0.4))


def test_exactly_the_right_instances_are_left(corrupt):
    clean = CleanInstances(corrupt)
    right = np.flatnonzero(~corrupt.corrupted['label'])
    assert len(clean) == len(right) < len(corrupt)
    original = corrupt.dataset
    for i, position in enumerate(right):
        assert clean.get_data_info(i)['gt_label'] == original.get_data_info(int(position))['gt_label']
        assert clean.get_data_info(i)['img_path'] == original.get_data_info(int(position))['img_path']
    np.testing.assert_array_equal(clean[3]['img'], original[int(right[3])]['img'])
    assert clean.metainfo == original.metainfo


def test_keys_are_those_of_what_is_left(corrupt):
    clean = CleanInstances(dict(type='mmfct.CorruptLabels', dataset=corrupt.dataset, fractions=dict(label=0.4)))
    keys = np.array(InstanceKeys.of(corrupt).keys)
    assert InstanceKeys.of(clean).keys == keys[~corrupt.corrupted['label']].tolist()


def test_a_rejected_instance_is_replaced_by_a_right_one(corrupt):
    right = np.flatnonzero(~corrupt.corrupted['label'])
    source = corrupt.dataset
    source.pipeline = lambda results: None if results['sample_idx'] == right[0] else results
    clean = CleanInstances(corrupt)
    found = {clean[0]['sample_idx'] for _ in range(60)}
    assert len(found) > 20 and found <= set(right[1:].tolist())


def test_other_data_sets_and_nothing_left_are_refused():
    with pytest.raises(TypeError, match=r'`dataset` must be a mmfct\.CorruptLabels'):
        CleanInstances(Digits())
    with pytest.raises(
        ValueError, match="must have wrong labels to leave out, got none with `fractions` {'label': 0}"
    ):
        CleanInstances(CorruptLabels(Digits(), dict(label=0)))
    distinct = CorruptLabels(Digits(indices=[0, 1]), dict(label=1.0))
    assert distinct.corrupted['label'].all()
    with pytest.raises(ValueError, match='must leave an instance without a wrong label'):
        CleanInstances(distinct)
