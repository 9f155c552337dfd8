"""Which field of a data sample is the label of a task."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import BaseDataElement, LabelData, PixelData
from torch import nn

from mmfct.apis.find_corrupt_labels.labels import label_kind, label_map, label_names
from mmfct.registry import MODELS


@pytest.mark.parametrize(('task', 'kind'), [('seg', 'sem_seg'), ('depth', 'depth_map'), ('body', 'pose')])
def test_a_task_declares_its_kind_whatever_it_is_called(street, task, kind):
    model = Config.fromfile(street.config).model
    pose = dict(type='mmfct.BodyPoseTask', in_channels=4)
    model.tasks = dict(my_depth=model.tasks.seg, parts=model.tasks.depth, body_pose=pose)
    name = dict(seg='my_depth', depth='parts', body='body_pose')[task]
    sample = BaseDataElement(
        gt_sem_seg=PixelData(data=torch.zeros(1, 2, 2)), gt_depth_map=PixelData(), gt_pose=BaseDataElement()
    )
    with DefaultScope.overwrite_default_scope('mmseg'):
        assert label_kind(MODELS.build(model), name, sample) == kind


@pytest.mark.parametrize(
    ('fields', 'kind'),
    [
        (dict(gt_sem_seg=PixelData()), 'sem_seg'),
        (dict(gt_depth_map=PixelData()), 'depth_map'),
        (dict(gt_label=torch.tensor([1])), 'label'),
        (dict(boxes=LabelData()), None),
    ],
)
def test_a_head_of_the_hosts_has_the_label_that_is_there(fields, kind):
    assert label_kind(nn.Identity(), 'range', BaseDataElement(**fields)) == kind


def test_outputs_without_a_name_are_written_as_numbers():
    sample = BaseDataElement(gt_label=torch.tensor([1, 0]), pred_label=torch.tensor([7]))
    assert label_names(sample, 'label', 'gt_label', ('a', 'b')) == 'b, a'
    assert label_names(sample, 'label', 'pred_label', ('a', 'b')) == '7'


def test_the_largest_number_of_a_depth_file_is_drawn_as_unknown():
    data = torch.tensor([[[2.0, 65.535]]])
    sample = BaseDataElement(metainfo=dict(depth_rescale_factor=1e-3), gt_depth_map=PixelData(data=data))
    np.testing.assert_array_equal(label_map(sample, 'gt_depth_map'), [[2, np.nan]])
    assert label_map(sample, 'pred_depth_map').shape == (1, 1)  # it has none
