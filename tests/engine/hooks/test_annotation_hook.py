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
from mmfct.models import MultiTaskSegmentor
from mmfct.registry import MODELS

NAMES = itertools.count()


class Host(BaseModel):
    """A model of the hosts that counts its steps."""

    def __init__(self) -> None:
        BaseModel.__init__(self)  # not that of the MultiTaskSegmentor in `Model`
        self.weight = nn.Parameter(torch.zeros(()))
        self.steps = 0

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'predict':
            return data_samples
        self.steps += 1
        return dict(loss=self.weight.square())


class Model(Host, MultiTaskSegmentor):
    """Counts its steps, and has tasks."""

    def __init__(self, **tasks: dict) -> None:
        Host.__init__(self)
        self.tasks = nn.ModuleDict({name: MODELS.build(task) for name, task in tasks.items()})
        self.task_names = tuple(tasks)


class Data(Dataset):
    """Images with one field of a label, if any."""

    def __init__(self, *labels: dict) -> None:
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict:
        sample = BaseDataElement()
        for field, value in self.labels[index].items():
            label = PixelData(data=torch.tensor([[value]])) if isinstance(value, list) else value
            sample.set_data({field: label})
        return dict(inputs=torch.zeros(1), data_samples=sample)


class Metric(BaseMetric):
    """Measures nothing."""

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return {}


def run(data: Data, tmp_path, model: Host, iterations: int | None = None, **options) -> Host:
    """Train for two epochs, or for some iterations, of batches of two."""
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


def head(num_classes: int, **options) -> dict:
    loss = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
    return dict(type='mmseg.FCNHead', in_channels=4, channels=4, num_classes=num_classes, loss_decode=loss, **options)


SEG = dict(seg=dict(type='mmfct.SegmentationTask', head=head(4)))
DEPTH = dict(depth=dict(type='mmfct.DepthTask', head=head(1, threshold=0.0)))
SIGNED = dict(depth=dict(DEPTH['depth'], signed=True))
POSE = dict(a=dict(type='mmfct.BodyPoseTask', in_channels=4))
HOST: dict = {}


def pose(value: float) -> dict:
    parts = dict(rotations=torch.zeros(24, 3, 3), shape=torch.full((10,), value), joints=torch.zeros(24, 3))
    return dict(gt_pose=BaseDataElement(**parts))


def make(tasks: dict) -> Host:
    return Model(**tasks) if tasks else Host()


@pytest.mark.parametrize(
    ('tasks', 'labels', 'task'),
    [
        (SEG, [dict(gt_sem_seg=[255, 255])] * 3, 'seg'),
        (SEG, [{}] * 3, 'seg'),
        (dict(seg=dict(SEG['seg'], head=head(4, ignore_index=9))), [dict(gt_sem_seg=[9, 9])] * 3, 'seg'),
        (DEPTH, [dict(gt_depth_map=[0.0, 0.0])] * 3, 'depth'),
        (DEPTH, [dict(gt_depth_map=[math.nan, 0.0])] * 3, 'depth'),
        (DEPTH, [dict(gt_depth_map=[-1.0, -2.0])] * 3, 'depth'),
        (DEPTH, [dict(gt_depth_map=[255.0, 255.0])] * 3, 'depth'),  # what transforms of the host fill
        (SIGNED, [dict(gt_depth_map=[255.0, math.nan])] * 3, 'depth'),
        (SEG | DEPTH, [dict(gt_sem_seg=[255, 1])] * 3, 'depth'),
        (POSE, [dict(gt_sem_seg=[1, 1])] * 3, 'a'),
        (POSE, [pose(math.nan)] * 3, 'a'),
        (HOST, [dict(gt_sem_seg=[255, 255])] * 3, 'seg'),
    ],
)
def test_an_epoch_without_labels_of_a_task_is_refused(tasks, labels, task, tmp_path):
    model = make(tasks)
    with pytest.raises(ValueError, match=rf"labels of every task, got no label of \['{task}'\] for any of 3 images"):
        run(Data(*labels), tmp_path, model)
    assert model.steps == 2 and not list(tmp_path.glob('*.pth'))  # one epoch, of which nothing is kept


@pytest.mark.parametrize(
    ('tasks', 'labels'),
    [
        (SEG, [dict(gt_sem_seg=[255, 255])] * 4 + [dict(gt_sem_seg=[255, 0])]),
        (SEG | DEPTH, [dict(gt_depth_map=[0.0, 0.1]), {}, {}, {}, dict(gt_sem_seg=[3, 3])]),
        (SIGNED, [dict(gt_depth_map=[math.nan, -1.0])]),  # depth relative to a point
        (dict(depth=dict(DEPTH['depth'], fill=-1.0)), [dict(gt_depth_map=[-1.0, 255.0])]),
        (POSE, [pose(0.0)]),
        (HOST, [{}] * 3),  # a classifier
        (HOST, [dict(gt_sem_seg=[255, 255]), dict(gt_sem_seg=[0, 255])]),
    ],
)
def test_a_few_labels_are_enough(tasks, labels, tmp_path):
    assert run(Data(*labels), tmp_path, make(tasks)).steps == 2 * math.ceil(len(labels) / 2)


@pytest.mark.parametrize('several', [False, True])
def test_a_segmentor_of_the_host_says_which_label_is_ignored(several, tmp_path):
    model = Host()
    built = [MODELS.build(head(4, ignore_index=index)) for index in (255, 9)]
    model.decode_head = nn.ModuleList(built) if several else built[1]
    assert run(Data(dict(gt_sem_seg=[255, 255])), tmp_path, model).steps == 2
    with pytest.raises(ValueError, match=r"got no label of \['seg'\]"):
        run(Data(dict(gt_sem_seg=[9, 9])), tmp_path, model)


@pytest.mark.parametrize(
    ('tasks', 'labels', 'others', 'fails'),
    [
        (SEG | DEPTH, dict(gt_sem_seg=[1]), [1, 1, 0], False),  # the other rank has a depth map
        (SEG | DEPTH, dict(gt_sem_seg=[1]), [1, 0, 1], True),
        (HOST, {}, [1, 0], True),  # only the other one has label maps, all of them ignored
        (HOST, dict(gt_sem_seg=[255]), [1, 1], False),
    ],
)
def test_a_label_on_any_rank_is_enough(tasks, labels, others, fails, tmp_path, monkeypatch):
    def combine(flags, op):
        assert op == 'max'
        flags.copy_(torch.maximum(flags, torch.tensor(others, dtype=flags.dtype)))

    monkeypatch.setattr('mmfct.engine.hooks.annotation_hook.all_reduce', combine)
    if fails:
        with pytest.raises(ValueError, match='labels of every task, got no label of'):
            run(Data(labels), tmp_path, make(tasks))
    else:
        run(Data(labels), tmp_path, make(tasks))


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
