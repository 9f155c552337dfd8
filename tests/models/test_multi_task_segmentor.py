"""Tests of the dense multi-task model."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.structures import BaseDataElement, PixelData
from torch import nn
from torch.nn import functional as F

from mmfct.models import MultiTaskSegmentor
from mmfct.registry import MODELS

SIZE = (6, 8)


def head(num_classes: int, **options) -> dict:
    loss = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
    fixed = dict(in_channels=4, channels=4, num_convs=0, concat_input=False, dropout_ratio=0, loss_decode=loss)
    return dict(type='mmseg.FCNHead', num_classes=num_classes, **fixed, **options)


TASKS = dict(
    seg=dict(type='mmfct.SegmentationTask', head=head(3)),
    depth=dict(type='mmfct.DepthTask', head=head(1, threshold=0.5)),
)


@pytest.fixture
def build():
    """Function that builds the model."""

    def make(tasks: tuple[str, ...] = ('seg', 'depth'), weighting: str | dict = 'EqualWeighting', **options):
        return MODELS.build(
            dict(
                type='mmfct.MultiTaskSegmentor',
                backbone=dict(type='ToyBackbone'),
                tasks={name: TASKS[name] for name in tasks},
                weighting=weighting if isinstance(weighting, dict) else dict(type=f'mmfct.{weighting}'),
                **options,
            )
        )

    return make


@pytest.fixture
def sample():
    """Function that makes a data sample of mmseg with random labels of the given tasks."""
    from mmseg.structures import SegDataSample

    def make(*tasks: str, size: tuple[int, int] = SIZE, **metainfo) -> SegDataSample:
        made = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size) | metainfo)
        if 'seg' in tasks:
            made.gt_sem_seg = PixelData(data=torch.randint(3, (1, *size)))
        if 'depth' in tasks:
            made.gt_depth_map = PixelData(data=torch.rand(1, *size) + 0.1)
        return made

    return make


def expected_losses(outputs: dict[str, torch.Tensor], samples: list) -> dict[str, list]:
    """Loss of every instance that has labels of the task, from the outputs of the model."""
    losses: dict[str, list] = dict(seg=[], depth=[])
    for i, data in enumerate(samples):
        if 'gt_sem_seg' in data:
            losses['seg'].append(F.cross_entropy(outputs['seg'][i : i + 1], data.gt_sem_seg.data))
        if 'gt_depth_map' in data:
            losses['depth'].append((outputs['depth'][i] - data.gt_depth_map.data).abs().mean())
    return losses


def instance_losses(model, inputs, data_samples) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses (B, T) of the instances and tasks, and what is annotated (B, T), as the weighting gets them."""
    seen: list = []
    handle = model.weighting.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[:2]))
    model(inputs, data_samples, mode='loss')
    handle.remove()
    return seen[0]


def test_loss_of_both_tasks_by_hand(build, sample):
    model, images = build().eval(), torch.randn(4, 3, *SIZE)
    samples = [sample('seg', 'depth'), sample('seg'), sample('depth'), sample()]
    log = model(images, samples, mode='loss')
    expected = {name: torch.stack(values).mean() for name, values in expected_losses(model(images), samples).items()}
    torch.testing.assert_close(log['loss'], expected['seg'] + expected['depth'])
    assert [name for name in log if 'loss' in name] == ['loss']  # mmengine adds up what is called so
    for name, value in expected.items():
        torch.testing.assert_close(log[f'{name}_error'], value.detach())
        assert log[f'{name}_weight'] == 1 and not log[f'{name}_error'].requires_grad
    total, _ = model.parse_losses(log)
    assert torch.equal(total, log['loss'])


def test_loss_with_parameters_per_instance_by_hand(build, sample):
    model, images = build(weighting='InstanceTaskWeighting').eval(), torch.randn(3, 3, *SIZE)
    samples, d = [sample('seg', 'depth'), sample('seg'), sample('depth', 'seg')], torch.randn(3, 2)
    model.weighting.set_instances(d, ['a', 'b', 'c'])
    log = model(images, samples, mode='loss')
    expected = expected_losses(model(images), samples)
    seg = [(-d[i, 0]).exp() * loss + d[i, 0] / 2 for i, loss in enumerate(expected['seg'])]
    depth = [(-d[i, 1] / 2).exp() * loss + d[i, 1] / 2 for i, loss in zip((0, 2), expected['depth'], strict=True)]
    torch.testing.assert_close(log['loss'], torch.stack(seg).mean() + torch.stack(depth).mean())
    torch.testing.assert_close(log['depth_weight'], (-d[[0, 2], 1] / 2).exp().mean())
    assert model.weighting.pop_report().annotated.tolist() == [[True, True], [True, False], [True, True]]


def test_a_weighting_by_agreement_gets_the_outputs_and_labels_of_the_batch(build, sample):
    model, images = build(weighting='AgreementWeighting'), torch.randn(3, 3, *SIZE)
    samples, w = [sample('seg', 'depth'), sample('seg'), sample('depth', 'seg')], torch.rand(3, 2)
    model.backbone.eval()  # the same outputs twice
    for module in model.tasks.values():
        module.eval()
    nn.init.constant_(model.weighting.log_variance, 0.5)
    model.weighting.set_instances(w, ['a', 'b', 'c'])
    log = model(images, samples, mode='loss')
    outputs = model(images)
    expected = expected_losses(outputs, samples)
    seg = [w[i, 0] * (math.exp(-0.5) * loss + 0.25) for i, loss in enumerate(expected['seg'])]
    depth = [w[i, 1] * (math.exp(-0.25) * loss + 0.25) for i, loss in zip((0, 2), expected['depth'], strict=True)]
    torch.testing.assert_close(log['loss'], torch.stack(seg).mean() + torch.stack(depth).mean())
    torch.testing.assert_close(log['depth_weight'], w[[0, 2], 1].mean() * math.exp(-0.25))
    found = model.weighting.pop_report()
    assert found.annotated.tolist() == [[True, True], [True, False], [True, True]]
    for t, name in enumerate(outputs):
        for i in range(3):
            if not found.annotated[i, t]:
                continue
            place = (0, 2).index(i) if t else i
            own, ratios = expected[name][place], []
            for other in {0, 1, 2} - {i}:
                moved = {name: value[[other] * 3] for name, value in outputs.items()}
                loss = expected_losses(moved, samples)[name][place]
                ratios.append((own - loss) / (own + loss))
            torch.testing.assert_close(found.values[i, t], torch.stack(ratios).mean(), rtol=1e-4, atol=1e-5)


AUXILIARY = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.4)


@pytest.fixture
def with_auxiliary(monkeypatch):
    """Give the task of segmentation an auxiliary head."""
    auxiliary = head(3) | dict(loss_decode=AUXILIARY)
    monkeypatch.setitem(TASKS, 'seg', dict(TASKS['seg'], auxiliary_head=auxiliary))


def test_the_loss_of_an_auxiliary_head_is_added_in_training(build, sample, with_auxiliary):
    model, images = build(), torch.randn(3, 3, *SIZE)
    samples = [sample('seg', 'depth'), sample('depth'), sample('seg')]
    outputs = model(images)  # with the statistics of the batch, as in the loss
    assert outputs.keys() == {'seg', 'depth'}  # the auxiliary head predicts nothing
    expected = expected_losses(outputs, samples)
    auxiliary = expected_losses(
        dict(seg=model.tasks.seg.auxiliary[0](model.backbone(images)), depth=outputs['depth']), samples
    )
    losses, annotated = instance_losses(model, images, samples)
    total = [main + 0.4 * extra for main, extra in zip(expected['seg'], auxiliary['seg'], strict=True)]
    torch.testing.assert_close(losses[[0, 2], 0], torch.stack(total))
    torch.testing.assert_close(losses[[0, 1], 1], torch.stack(expected['depth']))
    assert annotated.tolist() == [[True, True], [False, True], [True, False]]
    losses, _ = instance_losses(model.eval(), images, samples)
    torch.testing.assert_close(losses[[0, 2], 0], torch.stack(expected_losses(model(images), samples)['seg']))


def test_a_weight_of_an_instance_is_that_of_its_auxiliary_loss_too(build, sample, with_auxiliary):
    model, images = build(weighting='AgreementWeighting'), torch.randn(2, 3, *SIZE)
    samples = [sample('seg', 'depth') for _ in images]
    model.weighting.requires_grad_(False)
    model.weighting.set_instances(torch.tensor([[0.0, 1.0], [2.0, 1.0]]), ['a', 'b'])
    model(images, samples, mode='loss')['loss'].backward()
    found = model.tasks.seg.auxiliary[0].head.conv_seg.weight.grad.clone()
    model.zero_grad()
    scores = model.tasks.seg.auxiliary[0](model.backbone(images))
    (0.4 * 2 / 2 * F.cross_entropy(scores[1:], samples[1].gt_sem_seg.data)).backward()
    torch.testing.assert_close(found, model.tasks.seg.auxiliary[0].head.conv_seg.weight.grad)


def test_agreement_is_that_of_the_head_alone(build, sample, with_auxiliary):
    model, images = build(weighting='AgreementWeighting'), torch.randn(3, 3, *SIZE)
    samples, reports = [sample('seg', 'depth') for _ in images], []
    for _ in range(2):
        model.weighting.set_instances(torch.ones(3, 2), ['a', 'b', 'c'])
        model(images, samples, mode='loss')
        reports.append(model.weighting.pop_report())
        nn.init.normal_(model.tasks.seg.auxiliary[0].head.conv_seg.weight, std=10)
    torch.testing.assert_close(reports[0].values, reports[1].values)
    assert bool((reports[0].losses[:, 0] != reports[1].losses[:, 0]).all())


@pytest.mark.parametrize(('direction', 'dims'), [('horizontal', -1), ('vertical', -2), ('diagonal', (-2, -1))])
def test_predictions_of_a_flipped_image_are_those_of_the_original(build, sample, direction, dims):
    model, images = build().eval(), torch.randn(1, 3, *SIZE)
    outputs = model(images)
    (found,) = model(images, [sample(flip=True, flip_direction=direction)], mode='predict')
    torch.testing.assert_close(found.pred_depth_map.data, outputs['depth'][0].flip(dims))
    assert torch.equal(found.pred_sem_seg.data, outputs['seg'].argmax(1).flip(dims))
    (same,) = model(images, [sample(flip=False, flip_direction=None)], mode='predict')
    torch.testing.assert_close(same.pred_depth_map.data, outputs['depth'][0])


def test_depth_of_a_zoomed_image_is_that_of_the_original(build, sample):
    model, images = build().eval(), torch.randn(1, 3, *SIZE)
    meta = dict(zoom=2.0, depth_target='inverse_depth', ori_shape=(3, 4))
    (found,) = model(images, [sample(**meta)], mode='predict')
    expected = F.interpolate(model(images)['depth'], (3, 4), mode='bilinear')[0] / 2
    torch.testing.assert_close(found.pred_depth_map.data, expected)


def test_vectors_of_flipped_images_are_refused(build, sample, monkeypatch):
    model = build().eval()
    monkeypatch.setattr(model.tasks.depth, 'forward', lambda features: torch.zeros(2, 5))
    samples = [sample(flip=True, flip_direction='horizontal', img_path='a.png')] * 2
    with pytest.raises(ValueError, match="must not flip images .* such as 'depth_map', got a flip of a.png"):
        model(torch.randn(2, 3, *SIZE), samples, mode='predict')


def test_losses_of_instances(build, sample):
    model, images = build().eval(), torch.randn(3, 3, *SIZE)
    samples = [sample('seg', 'depth'), sample('seg'), sample('depth')]
    losses, annotated = instance_losses(model, images, samples)
    assert annotated.tolist() == [[True, True], [True, False], [False, True]]
    expected = expected_losses(model(images), samples)
    torch.testing.assert_close(losses[[0, 1], 0], torch.stack(expected['seg']))
    torch.testing.assert_close(losses[[0, 2], 1], torch.stack(expected['depth']))
    assert losses[~annotated].tolist() == [0, 0]


@pytest.mark.parametrize('weighting', ['EqualWeighting', 'InstanceTaskWeighting', 'AgreementWeighting'])
def test_a_batch_in_which_a_task_has_no_annotation_at_all(build, sample, weighting):
    model = build(weighting=weighting)
    if weighting != 'EqualWeighting':
        model.weighting.set_instances(torch.ones(2, 2), ['a', 'b'])
    log = model(torch.randn(2, 3, *SIZE), [sample('seg'), sample('seg')], mode='loss')
    assert log['loss'].isfinite() and log['depth_error'] == 0
    log['loss'].backward()
    gradients = {name: parameter.grad for name, parameter in model.tasks.depth.named_parameters()}
    assert gradients['head.conv_seg.weight'].eq(0).all()  # there, as DDP wants it, but nothing moves
    assert model.tasks.seg.head.conv_seg.weight.grad.abs().sum() > 0


def test_nan_in_depth_labels_is_invalid(build, sample):
    model, samples = build(), [sample('depth'), sample('seg', 'depth')]
    samples[0].gt_depth_map.data[:, 2:] = math.nan
    model(torch.randn(2, 3, *SIZE), samples, mode='loss')['loss'].backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_padding_of_the_host_counts_for_no_task(build, sample):
    # An image of 6 x 8 in a batch of 8 x 10; mmseg pads both label maps with 255.
    model = build(data_preprocessor=dict(type='mmseg.SegDataPreProcessor', size=(8, 10), seg_pad_val=255)).eval()
    data = dict(inputs=[torch.randn(3, *SIZE)], data_samples=[sample('seg', 'depth')])
    labels, depth = data['data_samples'][0].gt_sem_seg.data, data['data_samples'][0].gt_depth_map.data
    padded = model.data_preprocessor(data, training=True)
    assert padded['data_samples'][0].gt_depth_map.data.max() == 255
    losses, annotated = instance_losses(model, **padded)
    outputs = {name: maps[..., :6, :8] for name, maps in model(padded['inputs']).items()}
    torch.testing.assert_close(losses[0, 0], F.cross_entropy(outputs['seg'], labels))
    torch.testing.assert_close(losses[0, 1], (outputs['depth'][0] - depth).abs().mean())
    assert annotated.all()


def test_a_sample_without_labels_passes_the_preprocessor_of_the_host(build, sample):
    model = build(data_preprocessor=dict(type='mmseg.SegDataPreProcessor', size=(8, 10)))
    data = dict(inputs=[torch.randn(3, *SIZE)] * 2, data_samples=[sample(), sample('depth')])
    padded = model.data_preprocessor(data, training=True)
    _, annotated = instance_losses(model, **padded)
    assert annotated.tolist() == [[False, False], [False, True]]


def test_predictions_have_the_original_size(build, sample):
    model = build(
        data_preprocessor=dict(type='mmseg.SegDataPreProcessor', size=SIZE, test_cfg=dict(size=(8, 10)))
    ).eval()
    images, samples = [torch.randn(3, *SIZE)] * 2, [sample(ori_shape=(12, 16)), sample()]
    padded = model.data_preprocessor(dict(inputs=images, data_samples=samples))
    assert padded['inputs'].shape[2:] == (8, 10)
    predictions = model(**padded, mode='predict')
    outputs = {name: maps[..., :6, :8] for name, maps in model(padded['inputs']).items()}
    for i, size in enumerate([(12, 16), SIZE]):
        assert predictions[i] is padded['data_samples'][i]
        assert predictions[i].pred_sem_seg.data.shape == predictions[i].pred_depth_map.data.shape == (1, *size)
        maps = {name: F.interpolate(value[i : i + 1], size, mode='bilinear') for name, value in outputs.items()}
        torch.testing.assert_close(predictions[i].pred_depth_map.data, maps['depth'][0])
        assert torch.equal(predictions[i].pred_sem_seg.data, maps['seg'].argmax(1))


def test_losses_of_labels_of_the_original_size(build, sample):
    # mmseg's validation loads labels after Resize; here the left two columns and the lower three rows are padding.
    model, images, original = build().eval(), torch.randn(2, 3, 6, 10), (12, 20)
    samples = [sample('seg', 'depth', size=original, img_padding_size=[2, 0, 0, 3]), sample('depth', size=original)]
    outputs = model(images)
    inner = {
        name: torch.cat(
            [
                F.interpolate(maps[:1, :, :3, 2:], original, mode='bilinear'),
                F.interpolate(maps[1:], original, mode='bilinear'),
            ]
        )
        for name, maps in outputs.items()
    }
    losses, annotated = instance_losses(model, images, samples)
    expected = expected_losses(inner, samples)
    torch.testing.assert_close(
        losses, torch.tensor([[expected['seg'][0], expected['depth'][0]], [0, expected['depth'][1]]])
    )
    assert annotated.tolist() == [[True, True], [False, True]]


def test_heads_are_initialised_as_their_configs_say(build):
    model = build()
    for parameter in model.parameters():
        nn.init.constant_(parameter, 7.0)
    model.init_weights()
    for task in model.tasks.values():  # mmseg's own: normal with a deviation of 0.01, and no bias
        assert 0 < task.head.conv_seg.weight.std() < 0.05 and not task.head.conv_seg.bias.any()


def test_labels_of_several_sizes_are_refused(build, sample):
    samples = [sample('seg', size=(12, 16)), sample('seg', size=(12, 20))]
    with pytest.raises(
        ValueError, match=r'must be of one size, got \[\(12, 16\), \(12, 20\)\]; use a batch size of 1'
    ):
        build(('seg',))(torch.randn(2, 3, *SIZE), samples, mode='loss')


def test_options_of_mmseg_without_a_meaning(build):
    build(pretrained=None, train_cfg=None, test_cfg={})  # as mmseg's init_model sets them
    build(test_cfg=dict(mode='whole'))
    with pytest.raises(ValueError, match='`pretrained` and `train_cfg` have no meaning here, got .*work'):
        build(train_cfg=dict(work='hard'))


@pytest.mark.parametrize(
    ('test_cfg', 'match'),
    [
        (dict(mode='fast'), "`mode` of `test_cfg` must be 'whole' or 'slide', got 'fast'"),
        (dict(mode='slide'), '`test_cfg` must have `crop_size` and `stride`, .* got .*slide'),
        (dict(mode='slide', crop_size=(4, 4)), '`test_cfg` must have `crop_size` and `stride`'),
        (dict(mode='slide', crop_size=(4, 4), stride=(4, 5)), 'strides from 1 to the size of the crop'),
        (dict(mode='slide', crop_size=(4, 4), stride=(0, 4)), 'strides from 1 to the size of the crop'),
    ],
)
def test_bad_modes_of_prediction(build, test_cfg, match):
    with pytest.raises(ValueError, match=match):
        build(test_cfg=test_cfg)


@pytest.mark.parametrize('size', [(6, 8), (11, 17), (4, 23)])
def test_sliding_windows_are_those_of_mmseg(build, sample, size):
    from mmengine.config import ConfigDict
    from mmseg.models.segmentors import EncoderDecoder

    options = dict(mode='slide', crop_size=(6, 8), stride=(4, 5))
    model = build(test_cfg=options).eval()
    inputs = torch.randn(2, 3, *size)
    found = model(inputs, [sample(size=size) for _ in inputs], mode='predict')
    for task, channels in dict(seg=3, depth=1).items():
        host = EncoderDecoder.__new__(EncoderDecoder)
        nn.Module.__init__(host)
        host.test_cfg, host.out_channels = ConfigDict(options), channels
        host.encode_decode = lambda crop, metas, task=task: model._outputs(crop)[task]
        expected = host.slide_inference(inputs, [{}])
        for i, data in enumerate(found):
            if task == 'depth':
                torch.testing.assert_close(data.pred_depth_map.data, expected[i])
            else:
                assert torch.equal(data.pred_sem_seg.data, expected[i].argmax(dim=0, keepdim=True))


def test_losses_in_evaluation_mode_are_those_of_the_predictions(build, sample):
    model = build(test_cfg=dict(mode='slide', crop_size=(4, 5), stride=(2, 3)))
    images, samples = torch.randn(2, 3, *SIZE), [sample('seg', 'depth') for _ in range(2)]
    for training in (False, True):
        model.train(training)
        outputs = model(images) if training else model.windows.mean_outputs(images, model._outputs)
        expected = {name: torch.stack(values) for name, values in expected_losses(outputs, samples).items()}
        losses, _ = instance_losses(model, images, samples)
        torch.testing.assert_close(losses, torch.stack([expected['seg'], expected['depth']], dim=1))


def test_windows_do_not_slide_over_vectors(build, monkeypatch):
    model = build(test_cfg=dict(mode='slide', crop_size=(6, 8), stride=(6, 8))).eval()
    monkeypatch.setattr(model.tasks.depth, 'forward', lambda features: torch.zeros(2, 5))
    with pytest.raises(ValueError, match="must have the mode 'whole' .* got 'slide' and the task 'depth'"):
        model(torch.randn(2, 3, *SIZE), mode='predict')


def test_a_single_epoch_is_told_of_once(build, sample, monkeypatch):
    messages = []
    module = 'mmfct.models.current_epoch'
    monkeypatch.setattr(f'{module}.print_log', lambda text, logger, level: messages.append(text))
    sys.modules[module]._warn_of_a_single_epoch.cache_clear()
    hub = MessageHub.get_current_instance()
    hub.update_info_dict(dict(epoch=0, max_epochs=1))
    for weighting in ('EqualWeighting', 'DynamicWeightAverage', 'DynamicWeightAverage'):
        model = build(weighting=weighting)
        model(torch.randn(1, 3, *SIZE), [sample('seg', 'depth')], mode='loss')
    (message,) = messages
    assert 'DynamicWeightAverage' in message and "dict(type='mmfct.DataEpochHook')" in message
    hub.update_info('data_epoch', 5)
    model(torch.randn(1, 3, *SIZE), [sample('seg', 'depth')], mode='loss')
    assert model.weighting.epoch == 5


def test_predictions_without_data_samples(build):
    predictions = build().eval()(torch.randn(2, 3, *SIZE), mode='predict')
    assert [data.pred_depth_map.data.shape for data in predictions] == [(1, *SIZE)] * 2


class Pooled(nn.Module):
    """A neck that halves the resolution."""

    def forward(self, features):
        return tuple(F.avg_pool2d(feature, 2) for feature in features)


@pytest.mark.parametrize('align_corners', [False, True])
def test_outputs_have_the_size_of_the_image(build, align_corners):
    MODELS.register_module('PooledNeck', module=Pooled, force=True)
    model, images = build(neck=dict(type='PooledNeck'), align_corners=align_corners).eval(), torch.randn(2, 3, *SIZE)
    outputs = model(images)
    features = model.neck(model.backbone(images))
    assert features[0].shape[2:] == (3, 4)
    small = model.tasks.depth(features)
    torch.testing.assert_close(
        outputs['depth'], F.interpolate(small, SIZE, mode='bilinear', align_corners=align_corners)
    )
    assert outputs['seg'].shape == (2, 3, *SIZE)


@pytest.mark.parametrize('name', ['seg', 'depth'])
def test_a_single_task(build, sample, name):
    model, images, samples = build((name,)).eval(), torch.randn(2, 3, *SIZE), [sample('seg', 'depth')] * 2
    assert model.task_names == (name,) and list(model.tasks) == [name]
    log = model(images, samples, mode='loss')
    outputs = model(images)
    assert list(outputs) == [name]
    expected = expected_losses({'seg': torch.zeros(2, 3, *SIZE), 'depth': torch.zeros(2, 1, *SIZE)} | outputs, samples)
    torch.testing.assert_close(log['loss'], torch.stack(expected[name]).mean())
    (prediction, _) = model(images, [sample(), sample()], mode='predict')
    assert ('pred_sem_seg' in prediction, 'pred_depth_map' in prediction) == (name == 'seg', name == 'depth')


def test_the_epoch_of_the_runner_reaches_the_weighting_in_training(build, sample):
    model, samples = build(weighting='DynamicWeightAverage'), [sample('seg', 'depth')] * 2
    with pytest.raises(ValueError, match='the epoch must be known'):
        model(torch.randn(2, 3, *SIZE), samples, mode='loss')
    for training, expected in ((True, 3), (False, 3)):
        MessageHub.get_current_instance().update_info('epoch', 3 if training else 4)
        model.train(training)(torch.randn(2, 3, *SIZE), samples, mode='loss')
        assert model.weighting.epoch == expected


@pytest.mark.parametrize('weighting', ['InstanceTaskWeighting', 'AgreementWeighting'])
def test_the_form_of_each_task_reaches_the_weighting(build, weighting):
    model = build(weighting=weighting)
    assert isinstance(model, MultiTaskSegmentor)
    assert model.weighting.tasks == ('seg', 'depth')
    assert model.weighting.exponent.tolist() == [1.0, 0.5]


def test_no_task_is_refused(build):
    with pytest.raises(ValueError, match='`tasks` must name at least one task, got none'):
        build(())


def test_an_unknown_mode_is_refused(build):
    with pytest.raises(ValueError, match="`mode` must be 'tensor', 'loss' or 'predict', got 'losses'"):
        build()(torch.randn(1, 3, *SIZE), mode='losses')


def test_a_task_of_one_vector_per_image_goes_along(sample):
    pose = dict(type='mmfct.BodyPoseTask', in_channels=4, channels=5)
    tasks = dict(seg=TASKS['seg'], pose=pose)
    weighting = dict(type='mmfct.EqualWeighting')
    model = MODELS.build(
        dict(type='mmfct.MultiTaskSegmentor', backbone=dict(type='ToyBackbone'), tasks=tasks, weighting=weighting)
    ).eval()
    images, samples = torch.randn(2, 3, *SIZE), [sample('seg'), sample('seg')]
    label = BaseDataElement(rotations=torch.randn(24, 3, 3), shape=torch.randn(10), joints=torch.randn(24, 3))
    samples[1].set_data(dict(gt_pose=label))
    outputs = model(images)
    assert outputs['seg'].shape == (2, 3, *SIZE) and outputs['pose'].shape == (2, 226)
    losses, annotated = instance_losses(model, images, samples)
    assert annotated.tolist() == [[True, False], [True, True]]
    task = model.tasks['pose']
    pose_losses, _ = task.compare(outputs['pose'], task.targets(outputs['pose'], samples))
    torch.testing.assert_close(losses[:, 1], pose_losses)
    predicted = model(images, samples, mode='predict')
    assert predicted[0].pred_sem_seg.data.shape == (1, *SIZE)
    torch.testing.assert_close(predicted[1].pred_pose.joints.flatten(), outputs['pose'][1, -72:])
