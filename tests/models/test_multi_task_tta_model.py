"""Views of an image are averaged, task by task."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from torch import nn
from torch.nn import functional as F

from mmfct.registry import MODELS


class Points(nn.Module):
    """A backbone whose output for a pixel depends on this pixel and on its place."""

    def forward(self, images):
        ramp = torch.linspace(0, 1, images.shape[-1]).expand(len(images), 1, *images.shape[2:])
        return (torch.cat([images, ramp], dim=1),)


def head(num_classes: int) -> dict:
    fixed = dict(in_channels=4, channels=4, num_convs=0, concat_input=False, dropout_ratio=0)
    loss = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
    return dict(type='mmseg.FCNHead', num_classes=num_classes, loss_decode=loss, **fixed)


@pytest.fixture
def model():
    MODELS.register_module('PointsBackbone', module=Points, force=True)
    depth = dict(type='mmfct.DepthTask', head=head(1) | dict(threshold=0.5))
    segmentor = dict(
        type='mmfct.MultiTaskSegmentor',
        backbone=dict(type='PointsBackbone'),
        tasks=dict(seg=dict(type='mmfct.SegmentationTask', head=head(3)), depth=depth),
        weighting=dict(type='mmfct.EqualWeighting'),
        data_preprocessor=dict(type='mmseg.SegDataPreProcessor', size_divisor=1),
    )
    made = MODELS.build(dict(type='mmfct.MultiTaskTTAModel', module=segmentor)).eval()
    nn.init.normal_(made.module.tasks.seg.head.conv_seg.weight)
    nn.init.constant_(made.module.tasks.depth.head.conv_seg.bias, 5)
    return made


def sample(**meta):
    from mmseg.structures import SegDataSample

    return SegDataSample(metainfo=dict(ori_shape=(6, 8), img_path='a.png') | meta)


def test_views_are_averaged_as_of_the_original_image(model):
    image = torch.rand(3, 6, 8)
    large = F.interpolate(image[None], (12, 16), mode='bilinear')[0]
    zoomed = dict(zoom=2.0, depth_target='inverse_depth')
    views = dict(
        inputs=[[image], [image.flip(-1)], [large]],
        data_samples=[[sample()], [sample(flip=True, flip_direction='horizontal')], [sample(**zoomed)]],
    )
    views['data_samples'][0][0].gt_depth_map = PixelData(data=torch.ones(1, 6, 8))
    (found,) = model.test_step(views)
    network = model.module
    outputs = [network(image[None]), network(image.flip(-1)[None]), network(large[None])]
    outputs[1] = {name: maps.flip(-1) for name, maps in outputs[1].items()}
    outputs[2] = {name: F.interpolate(maps, (6, 8), mode='bilinear') for name, maps in outputs[2].items()}
    outputs[2]['depth'] = outputs[2]['depth'] / 2
    depth = torch.stack([output['depth'][0] for output in outputs]).mean(0)
    torch.testing.assert_close(found.pred_depth_map.data, depth)
    probabilities = torch.stack([output['seg'][0].softmax(0) for output in outputs]).mean(0)
    assert torch.equal(found.pred_sem_seg.data, probabilities.argmax(0, keepdim=True))
    assert 'gt_depth_map' in found and found.img_path == 'a.png'


def test_a_single_view_is_the_plain_prediction(model):
    images, samples = [torch.rand(3, 6, 8) for _ in range(2)], [sample(), sample()]
    found = model.test_step(dict(inputs=[images], data_samples=[samples]))
    plain = model.module.test_step(dict(inputs=images, data_samples=[sample(), sample()]))
    for mine, theirs in zip(found, plain, strict=True):
        torch.testing.assert_close(mine.pred_depth_map.data, theirs.pred_depth_map.data)
        assert np.array_equal(mine.pred_sem_seg.data, theirs.pred_sem_seg.data)
