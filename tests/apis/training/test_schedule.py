"""Schedules are checked before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from mmfct.apis.training.config import load_config
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.schedule import check_schedule
from mmfct.apis.training.train import train

CONFIGS = Path(__file__).parents[3] / 'configs/fct'
WITH_WARM_UP = [path for path in CONFIGS.glob('../_base_/schedules/*.py') if 'warmup_epochs = ' in path.read_text()]


def config(*schedulers: dict, batch_size: int = 539, drop_last: bool = False, **entries) -> Config:
    """A training on the 1,078 digits: two iterations an epoch."""
    dataset = dict(type='mmfct.Digits', split='train')
    loader = dict(batch_size=batch_size, drop_last=drop_last, dataset=dataset)
    base = dict(train_dataloader=loader, train_cfg=dict(by_epoch=True, max_epochs=3), param_scheduler=list(schedulers))
    return Config(base | entries, filename=CONFIGS / 'resnet10_digits.py')


def converted(**entries) -> dict:
    return dict(type='LinearLR', by_epoch=True, convert_to_iter_based=True, start_factor=0.1) | entries


@pytest.mark.parametrize(
    ('schedulers', 'batch_size'),
    [
        ([converted(end=0.5)], 539),
        ([converted(end=0.1)], 100),  # one of eleven iterations
        ([converted(end=1), dict(type='CosineAnnealingLR', T_max=2, begin=1, end=3, by_epoch=True)], 5000),
        ([dict(type='StepLR', step_size=100)], 539),
        ([dict(type='StepLR', step_size=100, begin=5, by_epoch=False)], 539),
        ([], 539),
    ],
)
def test_what_has_a_step_passes(schedulers, batch_size):
    check_schedule(config(*schedulers, batch_size=batch_size))


@pytest.mark.parametrize(
    ('schedulers', 'index', 'mistake'),
    [
        ([converted(end=0.4)], 0, 'got begin=0, end=0'),
        ([converted(end=0.5), converted(begin=0.5, end=0.9)], 1, 'got begin=1, end=1'),
        ([dict(type='CosineAnnealingLR', T_max=-4, begin=5, end=1, by_epoch=True)], 0, 'got begin=5, end=1'),
        ([dict(type='LinearLR', end=0)], 0, 'got begin=0, end=0'),
        ([dict(type='StepLR', step_size=1, begin=3)], 0, 'got begin=3, end=3'),
        ([dict(type='StepLR', step_size=1, begin=7, by_epoch=False)], 0, 'got begin=7, end=6'),
    ],
)
def test_what_has_no_step_is_refused_with_the_values_to_change(schedulers, index, mistake):
    message = rf'`param_scheduler\.{index}` .* of .* has no step, as an epoch has 2 iterations: .*{mistake}; .* '
    with pytest.raises(ValueError, match=message + '`--cfg-options side_epochs=8 warmup_epochs=2`, which are'):
        check_schedule(config(*schedulers, side_epochs=8, warmup_epochs=2))


@pytest.mark.parametrize(
    ('scheduler', 'mistake'),
    [
        (dict(type='CosineAnnealingLRR', T_max=2), 'there is no scheduler of that name'),
        (dict(type='CosineAnnealingLR', T_maxx=2), "unexpected keyword argument 'T_maxx'"),
        (dict(type='LinearLR', by_epoch=False, convert_to_iter_based=True), 'Only epoch-based parameter scheduler'),
    ],
)
def test_what_cannot_be_built_is_refused_before_the_stages_before_it_are_trained(scheduler, mistake):
    with pytest.raises(ValueError, match=rf'`param_scheduler\.1` .* of .* cannot be built: .*{mistake}'):
        check_schedule(config(dict(type='StepLR', step_size=1), scheduler))


def test_no_full_batch():
    with pytest.raises(ValueError, match=r"must have at least one batch, got 1078 .* `batch_size` 2000 .* in '.*py'"):
        check_schedule(config(batch_size=2000, drop_last=True))
    check_schedule(config(batch_size=2000))


def test_a_table_of_embeddings_is_counted_by_its_images():
    table = dict(type='mmfct.EmbeddingTable', path='nowhere', dataset=dict(type='mmfct.Digits', split='train'))
    loader = dict(batch_size=539, dataset=table)
    with pytest.raises(ValueError, match='an epoch has 2 iterations'):
        check_schedule(config(converted(end=0.4), train_dataloader=loader))
    assert not Path('nowhere').exists()


def test_schedulers_that_only_the_optimiser_of_the_config_has_are_left_to_the_runner():
    check_schedule(config(dict(type='LinearParamScheduler', param_name='own', end=3)))


def test_a_config_without_training():
    check_schedule(Config(dict(model=dict(type='a'))))


@pytest.mark.parametrize(
    ('options', 'stage'),
    [
        (dict(side_epochs=1, batch_size=5000), 'resnet10_digits_side'),
        (dict(transform_epochs=4), 'resnet10_digits'),
        ({'epochs': 0.1}, 'resnet10_digits_old'),
    ],
)
def test_every_stage_is_checked_before_the_first_is_trained(tmp_path, options, stage):
    options = dict(work_root=str(tmp_path)) | options
    if 'batch_size' in options:  # a stage of few iterations, late in the order
        text = (CONFIGS / 'resnet10_digits_side.py').read_text().replace('batch_size=128', 'batch_size=539')
        for path in CONFIGS.glob('resnet10_digits*.py'):
            folder = tmp_path / 'configs/fct'
            folder.mkdir(parents=True, exist_ok=True)
            (folder / path.name).write_text(path.read_text())
        (tmp_path / 'configs/_base_').symlink_to(CONFIGS.parent / '_base_')
        (folder / 'resnet10_digits_side.py').write_text(text)
        options.pop('batch_size')
        name = folder / 'resnet10_digits.py'
    else:
        name = CONFIGS / 'resnet10_digits.py'
    with pytest.raises(ValueError, match=rf"of '.*/{stage}\.py' has no step"):
        train(str(name), TrainingOptions(cfg_options=options))
    assert not list(tmp_path.rglob('*.pth')) and not list(tmp_path.rglob('*.log'))


@pytest.mark.parametrize('path', WITH_WARM_UP, ids=lambda path: path.stem)
def test_a_warm_up_can_be_left_out(path):
    first, *others = load_config(path).param_scheduler
    without = load_config(path, dict(warmup_epochs=0)).param_scheduler
    assert first.type == 'LinearLR' and [entry.type for entry in without] == [entry.type for entry in others]
    assert without[0].begin == 0 and without[0].T_max == without[0].end
