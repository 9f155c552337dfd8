"""Labels and outputs that do not belong together."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import IterBasedTrainLoop
from mmengine.structures import BaseDataElement, PixelData
from torch import nn

from mmfct.engine.hooks import class_count_hook
from mmfct.engine.hooks.class_count_hook import ClassCountHook


@pytest.fixture
def said(monkeypatch) -> list[str]:
    """What the hook warns of."""
    texts: list[str] = []
    monkeypatch.setattr(class_count_hook, 'print_log', lambda text, *_: texts.append(text))
    return texts


class Data(list):
    metainfo: dict = {}


def train(model: nn.Module, batches: list[list[BaseDataElement]], *, names=(), iterative=False) -> None:
    """Show the hook two epochs of batches."""
    data = Data(range(len(batches)))
    data.metainfo = dict(classes=names)
    loader = SimpleNamespace(dataset=data, batch_sampler=SimpleNamespace(batch_size=1))
    loop = object.__new__(IterBasedTrainLoop) if iterative else None
    runner = SimpleNamespace(model=model, train_dataloader=loader, train_loop=loop, iter=0, epoch=0)
    hook = ClassCountHook()
    hook.before_train(runner)
    for _ in range(2):
        for samples in batches:
            hook.before_train_iter(runner, 0, dict(data_samples=samples))
            hook.after_train_iter(runner, 0)
            runner.iter += 1
        hook.after_train_epoch(runner)


def model(**heads) -> nn.Module:
    found = nn.Module()
    for name, options in heads.items():
        head = nn.Module()
        vars(head).update(options)
        setattr(found, name, head)
    return found


def labelled(*labels: int) -> BaseDataElement:
    return BaseDataElement(gt_label=torch.tensor(labels))


def mapped(*values: int) -> BaseDataElement:
    return BaseDataElement(metainfo=dict(img_path='7.png'), gt_sem_seg=PixelData(data=torch.tensor([[values]])))


@pytest.mark.parametrize('iterative', [False, True])
@pytest.mark.parametrize(
    ('outputs', 'names', 'spare'), [(5, (), '2 of 5'), (3, (), None), (5, 'abcd', '1 of 5'), (5, 'abcde', None)]
)
def test_outputs_without_a_class_are_told_of_once(said, iterative, outputs, names, spare):
    batches = [[labelled(0), labelled(2, 1)], [labelled(), BaseDataElement()]]
    train(model(head=dict(num_classes=outputs)), batches, names=names, iterative=iterative)
    assert len(said) == (spare is not None)
    assert all(text.startswith(f'{spare} outputs of the model have no class') for text in said)


def test_without_labels_or_with_a_choice_of_classes_nothing_is_said(said, monkeypatch):
    train(model(head=dict(num_classes=5)), [[BaseDataElement()]])
    train(model(), [[labelled(1)]])
    monkeypatch.setattr(class_count_hook, 'ClassSubset', Data)
    train(model(head=dict(num_classes=5)), [[labelled(1)]])
    assert not said


HEAD = dict(num_classes=3, out_channels=3, ignore_index=255)


@pytest.mark.parametrize('value', [3, 254, -1])
def test_label_maps_with_other_classes_are_refused(value):
    several = nn.Module()
    several.decode_head = nn.ModuleList([model(decode_head=HEAD).decode_head])
    tasks = nn.Module()
    tasks.tasks = nn.ModuleDict(dict(seg=model(head=HEAD), depth=nn.Module()))
    tasks.tasks.seg.label_kind, tasks.tasks.depth.label_kind = 'sem_seg', 'depth_map'
    for segmentor in (model(decode_head=HEAD), several, tasks):
        train(segmentor, [[mapped(0, 2, 255), BaseDataElement()]])
        with pytest.raises(
            ValueError, match=f'from 0 to 2, or 255 where ignored, got {value} in that of 7.png; check'
        ):
            train(segmentor, [[mapped(0, 2)], [mapped(0, value)]])


def test_a_single_output_is_of_two_classes():
    single = model(decode_head=dict(num_classes=1, out_channels=1, ignore_index=0))
    train(single, [[mapped(0, 1)]])
    with pytest.raises(ValueError, match='from 0 to 1, or 0 where ignored, got 2'):
        train(single, [[mapped(2)]])
