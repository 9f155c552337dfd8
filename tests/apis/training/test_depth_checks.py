"""Checks of the pipelines of depth maps before a training."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from mmfct.apis.training.depth_checks import check_depth

LOADERS = ('train_dataloader', 'val_dataloader')
LEARNS_DEPTH = dict(type='mmfct.MultiTaskSegmentor', tasks=dict(z=dict(type='mmfct.DepthTask')))


def config_of(dataset: dict) -> Config:
    return Config(dict(model=dict(), train_dataloader=dict(dataset=dataset)))


def check_depth_of(config: Config) -> None:
    check_depth(config, LOADERS)


@pytest.mark.parametrize('kind', ['Albu', 'mmcv.Pad', 'mmseg.RandomRotFlip', 'CenterCrop'])
@pytest.mark.parametrize('loading', ['mmfct.LoadDisparity', 'mmfct.LoadSurreal'])
@pytest.mark.parametrize('outside', [False, True])
def test_transforms_that_leave_depth_behind(kind, loading, outside):
    steps = [dict(type='Pad'), dict(type=loading), dict(type='RandomRotate'), dict(type=kind)]
    dataset = dict(type='Any', pipeline=[] if outside else steps)
    wrapped = dict(type='Wrapper', dataset=dataset, pipeline=steps if outside else [])
    with pytest.raises(
        ValueError, match=f"must move them with the image, got '{kind.rpartition('.')[2]}' after 'Load"
    ):
        check_depth_of(config_of(wrapped))


def test_transforms_that_move_depth_too():
    steps = [dict(type='Pad'), dict(type='mmfct.LoadDisparity'), dict(type='Resize'), dict(type='RandomRotate'), print]
    check_depth_of(config_of(dict(type='Any', pipeline=steps)))
    check_depth_of(config_of(dict(type='Any', pipeline=[dict(type='Pad'), dict(type='Albu')])))  # no depth


DISPARITY, ZOOM, RANDOM = dict(type='mmfct.LoadDisparity'), dict(type='mmfct.ZoomDepth'), dict(type='RandomResize')


@pytest.mark.parametrize('zoom', [RANDOM, dict(type='mmcv.RandomChoiceResize')])
@pytest.mark.parametrize('own', [False, True])
def test_zooms_that_depth_does_not_follow(zoom, own):
    nested = dict(type='RandomChoice', transforms=[[dict(type='Resize')], [zoom, dict(type='RandomCrop')]])
    for steps in ([zoom], [nested], [zoom, dict(type='RandomCrop'), ZOOM]):
        config = config_of(dict(type='Any', pipeline=[dict(type='LoadMine') if own else DISPARITY, *steps]))
        if own:
            config.model = LEARNS_DEPTH
        with pytest.raises(
            ValueError, match=r"ZoomDepth'\) right after 'Random.*Resize', got .* depth_target='relative"
        ):
            check_depth_of(config)


def test_zooms_that_depth_follows_or_is_not_there_for():
    follows = [DISPARITY, dict(type='RandomApply', transforms=[RANDOM, ZOOM]), RANDOM, ZOOM]
    for steps in (follows, [RANDOM], [dict(type='LoadAnnotations'), RANDOM]):
        check_depth_of(config_of(dict(type='Any', pipeline=steps)))


def test_a_factor_of_depth_that_the_packing_leaves_out():
    loading = dict(type='LoadDepthAnnotation', depth_rescale_factor=1e-3)
    config = config_of(dict(type='NYUDataset', pipeline=[loading, dict(type='PackSegInputs')]))
    check_depth_of(config)  # mmseg's own depth models
    config.model = LEARNS_DEPTH
    with pytest.raises(ValueError, match="`meta_keys` of the packing must have 'depth_rescale_factor' .* by 0.001"):
        check_depth_of(config)
    config.train_dataloader.dataset.pipeline[-1].meta_keys = ('img_path', 'depth_rescale_factor')
    check_depth_of(config)


def sizes(train: list, val: list, **task) -> Config:
    """Config of a training that loads depth, resizes in these steps, and packs."""
    model = dict(LEARNS_DEPTH, tasks=dict(z=dict(type='mmfct.DepthTask', **task)))
    config = Config(dict(model=model))
    for loader, steps in zip(LOADERS, (train, val), strict=True):
        inner = dict(type='Any', pipeline=[DISPARITY, *steps, dict(type='PackSegInputs')])
        config[loader] = dict(dataset=dict(type='Wrapper', dataset=inner))
    return config


HALF, SMALL = dict(type='Resize', scale_factor=0.5), dict(type='mmseg.Resize', scale=(64, 32))


@pytest.mark.parametrize(('train', 'val'), [([], [HALF]), ([HALF], []), ([HALF], [SMALL]), ([RANDOM, ZOOM], [HALF])])
def test_an_evaluation_at_another_size_than_the_training_is_warned_of(train, val, capsys):
    check_depth_of(sizes(train, val))
    text = ' '.join(capsys.readouterr().out.split())
    assert f'`val_dataloader` resizes images by {"nothing" if not val else "[{"}' in text
    assert 'predicts another depth; use the same, or put' in text


@pytest.mark.parametrize(
    ('train', 'val'),
    [
        ([], []),
        ([SMALL], [dict(SMALL, type='Resize', scale=[64, 32])]),
        ([RANDOM, ZOOM], [HALF, ZOOM]),
        ([HALF], None),
    ],
)
def test_an_evaluation_at_the_size_of_the_training(train, val, capsys):
    config = sizes(train, val or [])
    if val is None:
        config.val_dataloader = None
    check_depth_of(config)
    check_depth_of(sizes([], [HALF], signed=True))
    assert not capsys.readouterr().out
