"""Running the trained network over the training set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, MODELS, DefaultScope

from mmfct.apis.find_corrupt_labels.data import TrainingInstances
from mmfct.apis.find_corrupt_labels.labels import label_kind, label_names
from mmfct.apis.find_corrupt_labels.model import Judgement, build_model, judge_labels, predict
from mmfct.apis.training.config import load_config
from mmfct.utils.checkpoint import load_checkpoint

CONFIGS = Path(__file__).parents[3] / 'configs'
TASKS = ('seg', 'depth')


def run(street, config: Config, tasks=TASKS, **options) -> Judgement:
    with DefaultScope.overwrite_default_scope('mmseg'):
        instances = TrainingInstances.of(config)
        model = build_model(config, load_checkpoint(street.checkpoint), street.checkpoint, 'cpu')
        return judge_labels(model, instances, config, tasks, **options)


@pytest.mark.parametrize('batch_size', [1, 5])
def test_losses_do_not_depend_on_the_batch(street, batch_size):
    config = Config.fromfile(street.config)
    expected = run(street, config)
    config.val_dataloader.batch_size = batch_size
    found = run(street, config)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5)
    np.testing.assert_allclose(found.ranks, expected.ranks)
    for values in (expected.losses, expected.ranks):
        assert np.argwhere(np.isnan(values)).tolist() == [[2, 0], [4, 1]]


def test_a_data_preprocessor_beside_the_model_is_used(street):
    config = Config.fromfile(street.config)
    expected = run(street, config)
    config.data_preprocessor = config.model.pop('data_preprocessor')
    np.testing.assert_array_equal(run(street, config).losses, expected.losses)


def test_a_label_is_judged_without_the_margin_of_its_head():
    options = {'weighting': 'itp_gradient', 'image_size': 8, 'train_dataloader.dataset.dataset.indices': 20}
    config = load_config(CONFIGS / 'itp/resnet10_digits_noisy.py', options)
    config.model.head = dict(config.model.head, type='ArcFaceClsHead', margins=0.5)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        instances, model = TrainingInstances.of(config), MODELS.build(config.model).eval()
        found = judge_labels(model, instances, config, ['label'])
        batch = model.data_preprocessor(next(iter(instances.loader(config))))
    with torch.no_grad():
        scores = model.head(model.extract_feat(batch['inputs']))
    labels = torch.cat([sample.gt_label for sample in batch['data_samples']])
    expected = torch.nn.functional.cross_entropy(scores, labels, reduction='none')
    np.testing.assert_allclose(found.losses[:, 0], expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize('references', [400, 5])
@pytest.mark.parametrize('weighting', ['InstanceTaskWeighting', 'AgreementWeighting'])
def test_ranks_are_those_of_a_plain_loop(street, references, weighting):
    config = Config.fromfile(street.config)
    config.model.weighting = dict(type=f'mmfct.{weighting}')
    found = run(street, config, references=references, seed=3)
    with DefaultScope.overwrite_default_scope('mmseg'):
        instances = TrainingInstances.of(config)
        model = build_model(config, load_checkpoint(street.checkpoint), street.checkpoint, 'cpu')
    items = [
        model.data_preprocessor(dict(inputs=[x['inputs']], data_samples=[x['data_samples']]))
        for x in instances.dataset
    ]
    with torch.no_grad():
        outputs = [model(item['inputs']) for item in items]
    chosen = sorted(np.random.default_rng(3).choice(12, min(references, 12), replace=False))
    for column, (name, task) in enumerate(model.tasks.items()):
        for i, item in enumerate(items):
            targets = task.targets(outputs[i][name], item['data_samples'])
            own, annotated = task.compare(outputs[i][name], targets)
            if not annotated.all():
                assert np.isnan(found.ranks[i, column])
                continue
            assert found.losses[i, column] == pytest.approx(own.item(), rel=1e-4)
            better = []
            for k in chosen:
                if k != i:
                    other = task.compare(outputs[k][name], targets)[0].item()
                    better.append(1.0 if other < own.item() else 0.5 if other == own.item() else 0.0)
            assert found.ranks[i, column] == pytest.approx(np.mean(better), abs=1e-6), (name, i)


def test_a_model_of_other_tasks(street):
    with pytest.raises(ValueError, match=r"of the checkpoint, \['seg'\], got \['seg', 'depth'\]"):
        run(street, Config.fromfile(street.config), ['seg'])
    config = Config.fromfile(street.config)
    config.merge_from_dict({'model.weighting': dict(type='mmfct.EqualWeighting', _delete_=True)})
    with pytest.raises(ValueError, match=r"of the checkpoint, \['seg', 'depth'\], got \[\]"):
        run(street, config)


def test_a_pipeline_that_loads_no_depth(street):
    config = Config.fromfile(street.config)
    del config.val_dataloader.dataset.pipeline[2]
    with pytest.raises(ValueError, match=r"must load the labels of every task, got no label of \['depth'\]"):
        run(street, config)


class Reject:
    """Transform that rejects an image, so that another one takes its place."""

    def __call__(self, results):
        return None if results['img_path'].endswith('aachen_07_leftImg8bit.png') else results


def test_a_pipeline_that_rejects_an_image(street):
    config = Config.fromfile(street.config)
    config.val_dataloader.dataset.pipeline.insert(0, Reject())
    with pytest.raises(ValueError, match=r"must load every training image, got another one, .* of 'aachen_07_"):
        run(street, config)


def test_a_loss_that_is_not_finite_is_named(street, tmp_path):
    checkpoint = load_checkpoint(street.checkpoint)
    checkpoint['state_dict']['tasks.depth.head.conv_seg.bias'].fill_(torch.nan)
    torch.save(checkpoint, tmp_path / 'nan.pth')
    broken = type(street)(checkpoint=str(tmp_path / 'nan.pth'))
    with pytest.raises(ValueError, match=r"the loss of task 'depth' must be finite, got nan for .*aachen_00_"):
        run(broken, Config.fromfile(street.config))


def test_views_are_rgb_with_labels_and_predictions(street):
    import cv2

    config = Config.fromfile(street.config)
    with DefaultScope.overwrite_default_scope('mmseg'):
        instances = TrainingInstances.of(config)
        model = build_model(config, load_checkpoint(street.checkpoint), street.checkpoint, 'cpu')
        views = predict(model, instances.loader(config, [5, 0]))
    for (image, sample), row in zip(views, (5, 0), strict=True):
        assert (image == cv2.imread(instances.paths[row])[..., ::-1]).all()
        assert sample.img_path == instances.paths[row]
        for field in ('gt_sem_seg', 'pred_sem_seg', 'gt_depth_map', 'pred_depth_map'):
            assert sample.get(field).data.shape == (1, 16, 32)


@DATASETS.register_module(name='SuspectTwoLabels')
class TwoLabels(BaseDataset):
    """Grey images with a colour and, every second one, a shape."""

    METAINFO = dict(classes=('red', 'green', 'blue'))

    def load_data_list(self):
        rng = np.random.default_rng(0)
        labels = [dict(color=i % 3, shape=i // 3) if i % 2 else dict(color=i % 3) for i in range(6)]
        images = rng.integers(0, 256, (6, 8, 8, 1)).astype(np.uint8)
        return [dict(img=images[i], gt_label=labels[i], img_path=f'/data/{i}.png') for i in range(6)]


def test_several_heads_of_mmpretrain():
    heads = {
        task: dict(
            type='LinearClsHead',
            num_classes=count,
            in_channels=8,
            loss=dict(type='mmfct.InstanceTaskWeightLoss', task=task, loss=dict(type='CrossEntropyLoss')),
        )
        for task, count in dict(color=3, shape=2).items()
    }
    backbone = dict(type='ResNet_CIFAR', depth=18, in_channels=1, stem_channels=4, base_channels=4, num_stages=2)
    backbone.update(strides=(1, 2), dilations=(1, 1), out_indices=(1,))
    model = dict(
        type='ImageClassifier',
        backbone=backbone,
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='MultiTaskHead', task_heads=heads),
        data_preprocessor=dict(type='ClsDataPreprocessor', mean=[128], std=[64], to_rgb=False),
    )
    pipeline = [dict(type='PackMultiTaskInputs', multi_task_fields=('gt_label',))]
    loader = dict(batch_size=4, num_workers=0, dataset=dict(type='SuspectTwoLabels', pipeline=pipeline))
    config = Config(dict(model=model, train_dataloader=loader, val_dataloader=loader))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        instances = TrainingInstances.of(config)
        classifier = build_model(config, MODELS.build(config.model).state_dict(), 'a.pth', 'cpu')
        judgement = judge_labels(classifier, instances, config, ('color', 'shape'))
        views = predict(classifier, instances.loader(config))
    for values in (judgement.losses, judgement.ranks):
        assert np.isnan(values).tolist() == [[False, i % 2 == 0] for i in range(6)]
    for i, (image, sample) in enumerate(views):
        assert image.shape == (8, 8, 3)
        assert label_kind(classifier, 'color', sample) == 'label'
        assert label_kind(classifier, 'shape', sample) == ('label' if i % 2 else None)
        assert label_names(sample, 'color', 'gt_label', ('red', 'green', 'blue')) == ('red', 'green', 'blue')[i % 3]
        assert label_names(sample, 'shape', 'pred_label', None) in ('0', '1')
