"""Trainings and evaluations of data without labels."""

from __future__ import annotations

import itertools
import logging
import math

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement, PixelData
from torch import nn
from torch.utils.data import Dataset

from mmfct.engine.hooks.annotation_hook import AnnotationHook

NAMES = itertools.count()


class Model(BaseModel):
    """Counts its steps; has tasks with labels where it is told so."""

    def __init__(self, **label_kinds: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.steps = 0
        if label_kinds:
            self.label_kinds = label_kinds

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'predict':
            return data_samples
        self.steps += 1
        return dict(loss=self.weight.square())


class Data(Dataset):
    """Images with one field of a label, if any."""

    def __init__(self, *labels: dict) -> None:
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict:
        sample = BaseDataElement()
        for field, value in self.labels[index].items():
            sample.set_data({field: PixelData(data=torch.tensor([[value]]))})
        return dict(inputs=torch.zeros(1), data_samples=sample)


class Metric(BaseMetric):
    """Measures nothing."""

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return {}


def run(data: Data, tmp_path, model: Model | None = None, iterations: int | None = None, **options) -> Model:
    """Train for two epochs, or for some iterations, of batches of two."""
    model = model or Model()
    loop = dict(by_epoch=True, max_epochs=2)
    if iterations is not None:
        loop = dict(by_epoch=False, max_iters=iterations, val_interval=iterations)
    loader = dict(
        batch_size=2,
        dataset=data,
        sampler=dict(type='DefaultSampler' if iterations is None else 'InfiniteSampler', shuffle=False),
        collate_fn=pseudo_collate,
    )
    runner = Runner(
        model=model,
        experiment_name=f'annotations{next(NAMES)}',
        work_dir=str(tmp_path),
        train_dataloader=loader,
        train_cfg=loop,
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        custom_hooks=[AnnotationHook()],
        default_hooks=dict(logger=None, timer=None, checkpoint=dict(type='CheckpointHook', interval=1)),
        default_scope='mmengine',
        log_level='ERROR',
        **options,
    )
    runner.train()
    return model


SEG, DEPTH = dict(seg='sem_seg'), dict(depth='depth_map')


@pytest.mark.parametrize(
    ('kinds', 'labels', 'task'),
    [
        (SEG, [dict(gt_sem_seg=[255, 255])] * 3, 'seg'),
        (SEG, [{}] * 3, 'seg'),
        (DEPTH, [dict(gt_depth_map=[0.0, 0.0])] * 3, 'depth'),
        (DEPTH, [dict(gt_depth_map=[math.nan, 0.0])] * 3, 'depth'),
        (SEG | DEPTH, [dict(gt_sem_seg=[255, 1])] * 3, 'depth'),
        (dict(a='pose'), [dict(gt_sem_seg=[1, 1])] * 3, 'a'),
        ({}, [dict(gt_sem_seg=[255, 255])] * 3, 'seg'),  # a host's segmentor
    ],
)
def test_an_epoch_without_labels_of_a_task_is_refused(kinds, labels, task, tmp_path):
    model = Model(**kinds)
    with pytest.raises(ValueError, match=rf"labels of every task, got no label of \['{task}'\] for any of 3 images"):
        run(Data(*labels), tmp_path, model)
    assert model.steps == 2 and not list(tmp_path.glob('*.pth'))  # one epoch, of which nothing is kept


@pytest.mark.parametrize(
    ('kinds', 'labels'),
    [
        (SEG, [dict(gt_sem_seg=[255, 255])] * 4 + [dict(gt_sem_seg=[255, 0])]),
        (SEG | DEPTH, [dict(gt_depth_map=[0.0, 0.1]), {}, {}, {}, dict(gt_sem_seg=[3, 3])]),
        (DEPTH, [dict(gt_depth_map=[math.nan, -1.0])]),  # depth relative to a point
        (dict(a='pose'), [dict(gt_pose=[0.0])]),
        ({}, [{}] * 3),  # a classifier
        ({}, [dict(gt_sem_seg=[255, 255]), dict(gt_sem_seg=[0, 255])]),
    ],
)
def test_a_few_labels_are_enough(kinds, labels, tmp_path):
    assert run(Data(*labels), tmp_path, Model(**kinds)).steps == 2 * math.ceil(len(labels) / 2)


@pytest.mark.parametrize(('labels', 'fails'), [([255] * 4, True), ([255, 255, 255, 0], False)])
def test_an_iteration_based_training_has_epochs_too(labels, fails, tmp_path):
    data, model = Data(*(dict(gt_sem_seg=[label]) for label in labels)), Model(**SEG)
    if fails:
        with pytest.raises(ValueError, match=r"got no label of \['seg'\]"):
            run(data, tmp_path, model, iterations=6)
    else:
        run(data, tmp_path, model, iterations=6)
    assert model.steps == (2 if fails else 6)


def test_an_evaluation_without_labels_is_told_of(tmp_path, caplog, monkeypatch):
    messages = []
    monkeypatch.setattr(
        'mmfct.engine.hooks.annotation_hook.print_log', lambda text, logger, level: messages.append((text, level))
    )

    def evaluate(*labels: dict) -> list:
        messages.clear()
        loader = dict(
            batch_size=1,
            dataset=Data(*labels),
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=pseudo_collate,
        )
        options = dict(val_dataloader=loader, val_cfg=dict(), val_evaluator=Evaluator([Metric()]))
        run(Data(dict(gt_sem_seg=[1], gt_depth_map=[1.0])), tmp_path, Model(**SEG, **DEPTH), **options)
        return list(messages)

    ignored = dict(gt_sem_seg=[255])
    (first, second) = evaluate(ignored, ignored)
    assert first == second and first[1] == logging.WARNING
    assert "no label of ['depth', 'seg'] for any of 2 images" in first[0]
    assert evaluate(dict(gt_sem_seg=[0], gt_depth_map=[2.0])) == []
