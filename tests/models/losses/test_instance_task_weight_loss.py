"""Tests of the wrapper around a host's loss."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mmfct.models.task_weightings import AgreementWeighting, InstanceTaskWeighting
from mmfct.registry import MODELS

NAMES = ['a.png', 'b.png', 'c.png']


def build(host: str = 'mmseg', **options) -> nn.Module:
    loss = dict(type=f'{host}.CrossEntropyLoss')
    if host == 'mmseg':
        loss.update(loss_name='loss_mine', avg_non_ignore=True)
    return MODELS.build(dict(type='mmfct.InstanceTaskWeightLoss', task='seg', loss=loss, **options))


def test_name_and_task():
    assert build().loss_name == 'loss_mine'  # mmseg logs under it, and counts what begins with "loss"
    assert build('mmpretrain').loss_name == 'loss'
    assert build().weighting.tasks == ('seg',)
    module = nn.Identity()
    assert MODELS.build(dict(type='mmfct.InstanceTaskWeightLoss', task='seg', loss=module)).loss is module


@pytest.mark.parametrize('form', [None, 'laplace'])
def test_objective_of_maps_by_a_formula(form):
    module, d = build(gradient=True, **({} if form is None else dict(form=form))), torch.randn(3, 1)
    with torch.no_grad():
        module.weighting.log_variance.fill_(0.3)
    scores, labels = torch.randn(3, 4, 5, 6), torch.randint(4, (3, 5, 6))
    labels[0, 2], labels[1] = 255, 255
    module.weighting.set_instances(d, NAMES)
    objective = module(scores, labels, weight=None, ignore_index=255)
    loss = F.cross_entropy(scores[:1], labels[:1], ignore_index=255), F.cross_entropy(scores[2:], labels[2:])
    s = d[0] + 0.3, d[2] + 0.3
    exponent = 1.0 if form is None else 0.5
    expected = sum((-exponent * s_i).exp() * l_i + s_i / 2 for l_i, s_i in zip(loss, s, strict=True)) / 2
    torch.testing.assert_close(objective, expected.squeeze())
    assert module.weighting.pop_report().annotated.tolist() == [[True], [False], [True]]


def test_objective_of_a_classifier():
    module, d = build('mmpretrain', gradient=True, shared=False), torch.randn(3, 1)
    scores, labels = torch.randn(3, 4), torch.randint(4, (3,))
    module.weighting.set_instances(d, NAMES)
    objective = module(scores, labels, avg_factor=3)  # as mmpretrain's heads call it
    losses = F.cross_entropy(scores, labels, reduction='none')
    torch.testing.assert_close(objective, ((-d[:, 0]).exp() * losses + d[:, 0] / 2).mean())
    assert not module.weighting.log_variance.requires_grad


def plain_contrasts(scores, labels, others: int) -> list[float]:
    """Contrasts of the mean cross-entropy in plain Python; labels of 255 do not count, nor images of one class."""
    found, size = [], len(scores)
    for i in range(size):
        losses = [
            F.cross_entropy(scores[(i + k) % size][None], labels[i][None], ignore_index=255).item()
            for k in range(min(others, size - 1) + 1)
            if k == 0 or labels.dim() > 1 or labels[(i + k) % size] != labels[i]
        ]
        own, rest = losses[0], losses[1:]
        found.append(sum((own - other) / (own + other) for other in rest) / len(rest) if rest else math.nan)
    return found


def test_agreement_is_the_default():
    module = build('mmpretrain')
    assert isinstance(module.weighting, AgreementWeighting) and module.weighting.others == 7
    assert isinstance(build(gradient=True).weighting, InstanceTaskWeighting)
    assert isinstance(build(instance=False).weighting, InstanceTaskWeighting)


@pytest.mark.parametrize('others', [1, 7])
def test_agreement_of_a_classifier_by_a_loop(others):
    module, w = build('mmpretrain', shared=False, others=others), torch.rand(3, 1)
    scores, labels = torch.randn(3, 4, requires_grad=True), torch.randint(4, (3,))
    module.weighting.set_instances(w, NAMES)
    objective = module(scores, labels, avg_factor=3)  # as mmpretrain's heads call it
    losses = F.cross_entropy(scores, labels, reduction='none')
    torch.testing.assert_close(objective, (w[:, 0] * losses).mean())
    report = module.weighting.pop_report()
    assert report.values[:, 0].tolist() == pytest.approx(
        plain_contrasts(scores, labels, others), rel=1e-4, nan_ok=True
    )
    objective.backward()
    expected = torch.autograd.grad((w[:, 0] * losses).mean(), scores)[0]
    torch.testing.assert_close(scores.grad, expected)  # comparisons have no part in it


def test_agreement_of_maps_by_a_loop():
    module, w = build(shared=True), torch.rand(3, 1)
    torch.nn.init.constant_(module.weighting.log_variance, 0.3)
    scores, labels = torch.randn(3, 4, 5, 6), torch.randint(4, (3, 5, 6))
    labels[0, 2], labels[1] = 255, 255
    module.weighting.set_instances(w, NAMES)
    objective = module(scores, labels, weight=None, ignore_index=255)
    own = [F.cross_entropy(scores[i : i + 1], labels[i : i + 1], ignore_index=255) for i in (0, 2)]
    expected = sum(w[i, 0] * (math.exp(-0.3) * loss + 0.15) for i, loss in zip((0, 2), own, strict=True)) / 2
    torch.testing.assert_close(objective, expected)
    report = module.weighting.pop_report()
    assert report.annotated.tolist() == [[True], [False], [True]] and report.values[1] == 0
    plain = plain_contrasts(scores, labels, 7)
    assert report.values[[0, 2], 0].tolist() == pytest.approx([plain[0], plain[2]], rel=1e-4)


@pytest.mark.parametrize('kind', ['several', 'soft'])
def test_agreement_of_several_labels_and_of_soft_ones(kind):
    # As mmpretrain's MultiLabelClsHead and its label smoothing hand them over.
    options = dict(use_sigmoid=True) if kind == 'several' else dict(use_soft=True)
    loss = dict(type='mmpretrain.CrossEntropyLoss', **options)
    module = MODELS.build(dict(type='mmfct.InstanceTaskWeightLoss', task='label', loss=loss, shared=False))
    scores, labels = torch.randn(3, 4), torch.randint(2, (3, 4)).float()
    if kind == 'soft':
        labels = torch.rand(3, 4).softmax(1)
    module.weighting.set_instances(torch.ones(3, 1), NAMES)
    objective = module(scores, labels, avg_factor=3)

    def plain(output, label):
        if kind == 'several':
            return F.binary_cross_entropy_with_logits(output, label, reduction='sum').item()
        return -(label * output.log_softmax(0)).sum().item()

    own = [plain(scores[i], labels[i]) for i in range(3)]
    assert objective.item() == pytest.approx(sum(own) / 3, rel=1e-5)
    for i, value in enumerate(module.weighting.pop_report().values[:, 0].tolist()):
        others = [plain(scores[(i + k) % 3], labels[i]) for k in (1, 2)]
        assert value == pytest.approx(sum((own[i] - b) / (own[i] + b) for b in others) / 2, rel=1e-4)


def test_decode_and_auxiliary_head_compare_the_predictions_of_their_own():
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    loss = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
    labels = torch.randint(3, (3, 5, 6))
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels]
    for task in ('seg', 'seg_aux'):
        head = dict(type='mmseg.FCNHead', in_channels=4, channels=4, num_classes=3)
        head['loss_decode'] = dict(type='mmfct.InstanceTaskWeightLoss', task=task, loss=loss)
        head, scores = MODELS.build(head), torch.randn(3, 3, 5, 6)
        weighting = head.loss_decode.weighting
        weighting.set_instances(torch.ones(3, 1), NAMES)
        head.loss_by_feat(scores, samples)
        found = weighting.pop_report().values[:, 0].tolist()
        assert weighting.tasks == (task,) and found == pytest.approx(plain_contrasts(scores, labels, 7), rel=1e-4)


@pytest.mark.parametrize('gradient', [False, True])
@pytest.mark.parametrize('unit', [1e-3, 1e3])
def test_the_weight_of_the_wrapped_loss_is_a_unit(gradient, unit):
    found, scores, labels = [], torch.randn(3, 4), torch.randint(4, (3,))
    for loss_weight in (1.0, unit):
        loss = dict(type='mmpretrain.CrossEntropyLoss', loss_weight=loss_weight)
        options = dict(gradient=gradient, shared=True)
        module = MODELS.build(dict(type='mmfct.InstanceTaskWeightLoss', task='label', loss=loss, **options))
        rows = torch.zeros(3, 1) if gradient else torch.ones(3, 1)
        module.weighting.set_instances(rows, NAMES)
        leaf = scores.clone().requires_grad_()
        module(leaf, labels).backward()
        found.append((leaf.grad, module.weighting.pop_report().values))
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-5)


def test_the_wrapped_loss_keeps_its_weight():
    # As that of an auxiliary head: the scale of the task would make up for it.
    scores, labels, found = torch.randn(3, 4), torch.randint(4, (3,)), []
    for loss_weight in (1.0, 0.4):
        loss = dict(type='mmpretrain.CrossEntropyLoss', loss_weight=loss_weight)
        module = MODELS.build(dict(type='mmfct.InstanceTaskWeightLoss', task='label', loss=loss))
        assert not module.weighting.log_variance.requires_grad
        module.weighting.set_instances(torch.ones(3, 1), NAMES)
        found.append(module(scores, labels).item())
    assert found[1] == pytest.approx(0.4 * found[0], rel=1e-5)
    assert build(gradient=True).weighting.log_variance.requires_grad
    assert build(instance=False).weighting.log_variance.requires_grad


def test_evaluation_needs_no_other_images():
    module = build('mmpretrain').eval()
    module.weighting.set_instances(torch.ones(1, 1), NAMES[:1])
    assert module(torch.randn(1, 4), torch.tensor([2])).isfinite()
    module.weighting.keep_comparisons = True  # as somebody who looks for wrong labels sets it
    module.weighting.set_instances(torch.ones(1, 1), NAMES[:1])
    module(torch.randn(1, 4), torch.tensor([2]))
    (comparison,) = module.weighting.pop_comparisons()
    assert comparison.outputs.shape == (1, 4) and comparison.targets.tolist() == [2]


def test_without_the_instance_part_no_hook_is_needed():
    module = build('mmpretrain', instance=False).eval()
    scores, labels = torch.randn(3, 4), torch.randint(4, (3,))
    torch.testing.assert_close(module(scores, labels), F.cross_entropy(scores, labels))
    assert module.weighting.instance_tasks == ()


def test_without_the_instance_part_ranks_do_not_meet(monkeypatch):
    # In mmpretrain's MultiTaskHead a rank whose batch lacks the task would not come.
    def meet(*args, **options):
        raise AssertionError('the other ranks were asked')

    monkeypatch.setattr('mmfct.utils.distributed.all_reduce', meet)
    module = build(instance=False)
    torch.nn.init.constant_(module.weighting.log_variance, 1e-9)  # trained, as it were
    scores, labels = torch.randn(3, 4, 5, 6), torch.randint(4, (3, 5, 6))
    labels[1] = 255
    expected = F.cross_entropy(scores[::2], labels[::2])
    torch.testing.assert_close(module(scores, labels, ignore_index=255), expected)


def test_pixels_chosen_by_their_loss():
    loss = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
    head = dict(
        type='mmseg.FCNHead',
        in_channels=4,
        channels=4,
        num_classes=3,
        loss_decode=dict(type='mmfct.InstanceTaskWeightLoss', task='seg', loss=loss, instance=False, shared=True),
        sampler=dict(type='mmseg.OHEMPixelSampler', min_kept=10),
    )
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    scores, labels = torch.randn(2, 3, 5, 6), torch.randint(3, (2, 5, 6))
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels]
    (value,) = (v for k, v in MODELS.build(head).eval().loss_by_feat(scores, samples).items() if k.startswith('loss'))
    hardest = F.cross_entropy(scores, labels, reduction='none').flatten().topk(20).values
    torch.testing.assert_close(value, hardest.sum() / 60)


def test_another_reduction_is_refused():
    with pytest.raises(ValueError, match="`reduction_override` must be 'none' or None, got 'sum'"):
        build()(torch.randn(3, 4), torch.randint(4, (3,)), reduction_override='sum')


def test_knet_calls_its_loss_for_every_stage():
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    update = dict(
        type='mmseg.KernelUpdateHead',
        num_classes=4,
        num_ffn_fcs=2,
        num_heads=2,
        feedforward_channels=8,
        in_channels=8,
        out_channels=8,
        kernel_updator_cfg=dict(
            type='KernelUpdator', in_channels=8, feat_channels=8, out_channels=8, norm_cfg=dict(type='LN')
        ),
        _scope_='mmseg',
    )
    host = dict(type='mmseg.CrossEntropyLoss')
    loss = dict(type='mmfct.InstanceTaskWeightLoss', task='seg', loss=host, shared=False)
    generate = dict(type='mmseg.FCNHead', in_channels=8, channels=8, num_convs=1, concat_input=False, num_classes=4)
    head = dict(type='mmseg.IterativeDecodeHead', num_stages=2, kernel_update_head=[update] * 2)
    module = MODELS.build(dict(head, kernel_generate_head=dict(generate, loss_decode=loss)))
    samples = [SegDataSample(gt_sem_seg=PixelData(data=torch.randint(4, (1, 8, 8)))) for _ in range(3)]
    weighting = module.kernel_generate_head.loss_decode.weighting
    weighting.set_instances(torch.ones(3, 1), NAMES)
    losses = module.loss([torch.randn(3, 8, 8, 8)], samples, None)
    stages = [losses[f'loss_ce.s{i}'] for i in range(3)]
    # With equal weights each is the mean of the images' losses.
    assert weighting.pop_report().losses.mean().item() == pytest.approx(sum(stages).item() / 3, rel=1e-5)


def test_conformer_calls_its_loss_for_both_branches():
    from mmpretrain.structures import DataSample

    host = dict(type='mmpretrain.CrossEntropyLoss')
    loss = dict(type='mmfct.InstanceTaskWeightLoss', task='label', loss=host, shared=False)
    head = MODELS.build(dict(type='mmpretrain.ConformerHead', num_classes=4, in_channels=[6, 8], loss=loss))
    weighting = head.loss_module.weighting
    weighting.set_instances(torch.ones(3, 1), NAMES)
    features, samples = [(torch.randn(3, 6), torch.randn(3, 8))], [DataSample().set_gt_label(i) for i in range(3)]
    scores = head(features)
    expected = sum(F.cross_entropy(score, torch.arange(3), reduction='none') for score in scores) / 2
    objective = head.loss(features, samples)['loss']
    torch.testing.assert_close(weighting.pop_report().losses[:, 0], expected)
    assert objective.item() == pytest.approx(2 * expected.mean().item(), rel=1e-5)


@pytest.mark.parametrize(
    'options', [dict(type='mmfct.InstanceTaskWeightLoss'), dict(type='mmfct.DataParameterLoss')], ids=str
)
def test_a_loss_that_counts_samples_counts_each_once(options):
    """`SeesawLoss` weights a class by how often it came: comparisons and second passes are no samples."""
    loss = dict(type='mmpretrain.SeesawLoss', num_classes=3)
    module, plain = MODELS.build(dict(options, task='label', loss=loss)), MODELS.build(loss)
    scores, labels = torch.randn(4, 3, requires_grad=True), torch.tensor([0, 0, 1, 2])
    rows = torch.full((4, 1), float(options['type'] == 'mmfct.InstanceTaskWeightLoss'))  # weights of 1, temperatures
    part = module if hasattr(module, 'set_instances') else module.weighting
    for _ in range(2):
        part.set_instances(rows, ['a.png', 'b.png', 'c.png', 'd.png'])
        torch.testing.assert_close(module(scores, labels, avg_factor=4), plain(scores, labels, avg_factor=4))
        assert part.pop_report().annotated.all()
    assert module.loss.cum_samples.tolist() == plain.cum_samples.tolist() == [4, 2, 2]


HEADS = dict(
    one_class=dict(type='LinearClsHead', loss=dict(type='CrossEntropyLoss')),
    one_class_by_sigmoids=dict(type='LinearClsHead', loss=dict(type='FocalLoss')),
    several_classes=dict(type='MultiLabelLinearClsHead', loss=dict(type='AsymmetricLoss')),
    maps=dict(type='CSRAClsHead', num_heads=1, lam=0.1, loss=dict(type='CrossEntropyLoss', use_sigmoid=True)),
)


@pytest.mark.parametrize('wrapper', ['InstanceTaskWeightLoss', 'DataParameterLoss'])
@pytest.mark.parametrize('name', HEADS)
def test_the_loss_of_a_head_of_mmpretrain_keeps_its_scale(name, wrapper):
    from mmpretrain.structures import DataSample

    config = dict(HEADS[name], type=f'mmpretrain.{HEADS[name]["type"]}', in_channels=8, num_classes=5)
    config['loss'] = dict(config['loss'], type=f'mmpretrain.{config["loss"]["type"]}')
    host = MODELS.build(config)
    weighted = MODELS.build(dict(config, loss=dict(type=f'mmfct.{wrapper}', task='label', loss=config['loss'])))
    weighted.load_state_dict(host.state_dict(), strict=False)
    one = name.startswith('one_class')
    samples = [DataSample().set_gt_label(label if one else [label, (label + 1) % 5]) for label in (0, 3, 4)]
    features = (torch.randn(3, 8, 2, 2) if name == 'maps' else torch.randn(3, 8),)
    part = weighted.loss_module if wrapper == 'DataParameterLoss' else weighted.loss_module.weighting
    part.set_instances(torch.full((3, 1), float(wrapper == 'InstanceTaskWeightLoss')), NAMES)
    expected = host.loss(features, samples)['loss']
    torch.testing.assert_close(weighted.loss(features, samples)['loss'], expected)
    torch.testing.assert_close(part.pop_report().losses.mean(), expected.detach())


def test_points_are_at_other_places_in_every_image():
    module = build()
    module.weighting.set_instances(torch.ones(2, 1), NAMES[:2])
    with pytest.raises(ValueError, match=r'got the shape \(2, 3, 7\): a head that draws points .* unwrapped'):
        module(torch.randn(2, 3, 7), torch.randint(3, (2, 7)), ignore_index=255)


def test_a_task_that_no_file_can_be_called_after_is_refused():
    with pytest.raises(ValueError, match=r"`task` must be a name without slashes, .* got \['seg/aux'\]"):
        MODELS.build(dict(type='mmfct.InstanceTaskWeightLoss', task='seg/aux', loss=nn.Identity()))
