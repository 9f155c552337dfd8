"""Tests of the model of FCT's last training stage."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from torch import nn

from mmfct.registry import MODELS

HEAD = dict(type='mmfct.TransformationHead', old_dims=4, side_dims=3, new_dims=5, hidden_dims=8)


def build(head: dict | None = None, **options):
    return MODELS.build(dict(type='mmfct.ForwardTransform', head=head or HEAD, **options))


@pytest.fixture
def encoders(encoder_cfg, save_checkpoint) -> dict:
    widths = dict(old=4, side=3, new=5)
    return {
        role: encoder_cfg(width, checkpoint=save_checkpoint(f'{role}.pth', width)[0]) for role, width in widths.items()
    }


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(6, 3, 4, 4)


@pytest.fixture
def embeddings() -> dict:
    return dict(old=torch.randn(6, 4), side=torch.randn(6, 3), new=torch.randn(6, 5))


def test_tensor_mode_is_the_head(embeddings):
    model = build().eval()
    upgraded = model(embeddings)
    torch.testing.assert_close(upgraded, model.head(embeddings['old'], embeddings['side']))
    torch.testing.assert_close(model({role: embeddings[role] for role in ('old', 'side')}, mode='tensor'), upgraded)


def test_loss_mode_is_the_mean_squared_error(embeddings):
    model = build().eval()
    expected = nn.MSELoss()(model(embeddings), embeddings['new'])
    assert model(embeddings, mode='loss').keys() == {'loss'}
    torch.testing.assert_close(model(embeddings, mode='loss')['loss'], expected)


def test_images_give_what_their_embeddings_give(encoders, images):
    model = build(encoders=encoders).eval()
    embeddings = MODELS.build(dict(type='mmfct.FrozenEncoders', **encoders))(images)
    for mode in ('tensor', 'loss'):
        torch.testing.assert_close(model(images, mode=mode), model(embeddings, mode=mode))
    torch.testing.assert_close(model(list(images)), model(embeddings))
    torch.testing.assert_close(model(images, mode='predict'), model(embeddings, mode='predict'))


def test_without_side_information_the_old_embedding_feeds_both_branches(embeddings):
    model = build(dict(HEAD, side_dims=4)).eval()
    without = {role: embeddings[role] for role in ('old', 'new')}
    torch.testing.assert_close(model(without), model.head(embeddings['old'], embeddings['old']))
    torch.testing.assert_close(
        model(without, mode='loss'), model.head.loss(embeddings['old'], embeddings['old'], embeddings['new'])
    )


def test_side_information_that_is_not_used(embeddings):
    model = build(dict(HEAD, side_dims=4), use_side=False).eval()
    torch.testing.assert_close(model(embeddings), model.head(embeddings['old'], embeddings['old']))


class Labels(nn.Module):
    """A loss that is the label."""

    def forward(self, embedding, labels):
        return labels.double()


@pytest.mark.parametrize(
    'samples',
    [dict(gt_label=torch.arange(6)), [SimpleNamespace(gt_label=torch.tensor([label])) for label in range(6)]],
    ids=['table', 'images'],
)
def test_labels_reach_the_head(embeddings, samples):
    model = build(dict(HEAD, class_loss=Labels())).eval()
    plain = nn.MSELoss()(model(embeddings), embeddings['new'])
    torch.testing.assert_close(model(embeddings, samples, 'loss')['loss'], plain.double() + 2.5)


@pytest.mark.parametrize('samples', [None, {}, [SimpleNamespace()] * 6])
def test_no_labels_for_a_loss_that_needs_them(embeddings, samples):
    with pytest.raises(ValueError, match='`class_loss` needs the label of every image'):
        build(dict(HEAD, class_loss=Labels()))(embeddings, samples, 'loss')


def test_predict_of_a_table_batch(embeddings):
    model = build().eval()
    samples = dict(gt_label=torch.arange(6), sample_idx=torch.arange(10, 16))
    items = model(embeddings, samples, mode='predict')
    assert len(items) == 6
    assert items[2]['gt_label'] == 2 and items[2]['sample_idx'] == 12
    assert items[2]['embeddings'].keys() == {'old', 'side', 'new', 'upgraded'}
    torch.testing.assert_close(items[2]['embeddings']['upgraded'], model(embeddings)[2])
    torch.testing.assert_close(items[2]['embeddings']['side'], embeddings['side'][2])
    assert embeddings.keys() == {'old', 'side', 'new'}  # left alone


def test_predict_of_images(encoders, images):
    model = build(encoders=encoders).eval()
    samples = [SimpleNamespace(gt_label=torch.tensor([i % 2]), sample_idx=i) for i in range(6)]
    items = model(images, samples, mode='predict')
    assert [(int(item['gt_label']), item['sample_idx']) for item in items] == [(i % 2, i) for i in range(6)]
    assert [item.keys() for item in model(images, mode='predict')] == [{'embeddings'}] * 6


def test_training_changes_the_head_and_nothing_else(encoders, images):
    DefaultScope.get_instance('toy', scope_name='mmengine')
    model = build(encoders=encoders).train()
    model(images)  # encoders are built when the first image arrives
    frozen = model._encoders[0]
    before, head_before = copy.deepcopy(frozen.state_dict()), copy.deepcopy(model.head.state_dict())
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    samples = [SimpleNamespace(gt_label=torch.tensor([0]), sample_idx=i) for i in range(6)]
    for _ in range(2):
        model.train()
        log = model.train_step(dict(inputs=list(images), data_samples=samples), wrapper)
    assert log['loss'] > 0
    assert all(torch.equal(value, before[name]) for name, value in frozen.state_dict().items())
    assert not any(module.training for module in frozen.modules())
    assert all(parameter.grad is None for parameter in frozen.parameters())
    changed = [name for name, value in model.head.state_dict().items() if not torch.equal(value, head_before[name])]
    assert changed == list(head_before)


def test_the_checkpoint_holds_the_head_alone(encoders, images):
    model = build(encoders=encoders)
    model(images)
    assert model.state_dict().keys() == {f'head.{name}' for name in model.head.state_dict()}
    assert all(name.startswith('head.') for name, _ in model.named_parameters())
    without_encoders = build().eval()
    without_encoders.load_state_dict(model.state_dict())
    embeddings = model._encoders[0](images)
    torch.testing.assert_close(without_encoders(embeddings), model.eval()(images))


def test_encoders_are_built_once_and_only_for_images(encoders, embeddings, images, backbone_calls):
    model = build(encoders=encoders)
    model(embeddings, mode='loss')
    assert model._encoders == [] and backbone_calls() == 0
    model(images)
    first = model._encoders[0]
    model(images)
    assert model._encoders == [first] and backbone_calls() == 6


def test_unknown_mode(encoders, images, backbone_calls):
    with pytest.raises(ValueError, match="`mode` must be 'tensor', 'loss' or 'predict', got 'test'"):
        build(encoders=encoders)(images, mode='test')
    assert backbone_calls() == 0


def test_images_without_encoders(images):
    with pytest.raises(ValueError, match='`encoders` must be given to transform images, got None'):
        build()(images)


def test_loss_without_a_new_embedding(encoders, images):
    with pytest.raises(ValueError, match=r"the loss needs the embedding 'new' .*got \['old', 'side'\]"):
        build(encoders=dict(encoders, new=None))(images, mode='loss')
