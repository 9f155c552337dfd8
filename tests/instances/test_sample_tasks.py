"""Tests of what a data sample says about its instance and its tasks."""

from __future__ import annotations

import pytest
from mmengine.structures import BaseDataElement

from mmfct.instances.sample_tasks import instance_name, is_multi_task, is_seen, task_samples


def multi_task(**parts):
    """Return a sample of mmpretrain with samples for some tasks."""
    from mmpretrain.structures import MultiTaskDataSample

    sample = MultiTaskDataSample()
    for task, part in parts.items():
        sample.set_field(part, task)
    return sample


PLAIN = BaseDataElement(metainfo=dict(img_path='a.png', sample_idx=3))


def test_a_plain_sample():
    assert not is_multi_task(PLAIN) and is_seen(PLAIN, ['seg'])
    assert instance_name(PLAIN, 'img_path') == 'a.png' and instance_name(PLAIN, 'sample_idx') == 3


def test_a_sample_of_several_tasks_is_seen_by_those_it_has():
    sample = multi_task(color=PLAIN, shape=PLAIN)
    assert is_multi_task(sample)
    assert [is_seen(sample, tasks) for tasks in (['color'], ['size'], ['size', 'shape'])] == [True, False, True]
    assert instance_name(sample, 'img_path') == 'a.png'


def test_a_task_of_tasks_is_seen_through():
    """mmpretrain's ``MultiTaskHead`` may have another one as a sub-head."""
    sample = multi_task(color=PLAIN, form=multi_task(round=PLAIN))
    assert task_samples(sample) == dict(color=PLAIN, round=PLAIN)
    assert [is_seen(sample, [task]) for task in ('color', 'round', 'large', 'form')] == [True, True, False, False]
    assert instance_name(multi_task(form=multi_task(round=PLAIN)), 'img_path') == 'a.png'
    assert instance_name(multi_task(form=multi_task()), 'img_path') is None


def test_a_sample_without_any_task_needs_no_name():
    assert not is_seen(multi_task(), ['color'])
    assert instance_name(multi_task(), 'img_path') is None


@pytest.mark.parametrize('sample', ['plain', 'several'])
def test_a_sample_without_its_name_is_refused(sample):
    plain = BaseDataElement(metainfo=dict(ori_shape=(2, 2), sample_idx=None))
    message = (
        r"data samples must have 'sample_idx' in their meta information, got \['ori_shape', 'sample_idx'\]; add it"
    )
    with pytest.raises(ValueError, match=message):
        instance_name(plain if sample == 'plain' else multi_task(color=plain), 'sample_idx')
