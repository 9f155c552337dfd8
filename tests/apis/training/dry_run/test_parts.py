"""The small parts of a dry run."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmengine.runner import IterBasedTrainLoop

from mmfct.apis.training.dry_run import disk, ranks
from mmfct.apis.training.dry_run.evaluation import count_validations
from mmfct.apis.training.dry_run.ranks import Ranks
from mmfct.apis.training.dry_run.sample_table import SampleTable, TableCost
from mmfct.apis.training.dry_run.schedules import step_schedulers
from mmfct.apis.training.dry_run.seconds import per_batch
from mmfct.apis.training.dry_run.stage import Stage, describe
from mmfct.apis.training.dry_run.stand_ins import confined, named_files, with_sample_tables, with_stand_ins


def optimizer(kind: str = 'SGD', **options) -> OptimWrapper:
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    return OptimWrapper(getattr(torch.optim, kind)(parameters, **dict(lr=0.1) | options))


class FakeRunner:
    """A training of 3 epochs of 4 iterations, with what `step_schedulers` asks a runner for."""

    max_epochs, max_iters, train_dataloader, train_loop = 3, 12, range(4), None

    def __init__(self, optim_wrapper: OptimWrapper | OptimWrapperDict) -> None:
        self.optim_wrapper = optim_wrapper

    def build_param_scheduler(self, entries):
        if isinstance(self.optim_wrapper, OptimWrapperDict):
            return {name: self._build(entries[name], part) for name, part in self.optim_wrapper.items()}
        return self._build(entries, self.optim_wrapper)

    def _build(self, entries, wrapper):
        defaults = dict(optimizer=wrapper, epoch_length=4)
        return [PARAM_SCHEDULERS.build(dict(entry), default_args=defaults) for entry in entries]


def test_schedulers_go_to_the_end_and_leave_the_optimiser_alone():
    wrapper = optimizer('Adam', lr=0.5)
    (group,) = wrapper.optimizer.param_groups
    group.update(lr=0.05, initial_lr=0.5)  # as a warm-up leaves it
    entries = [
        dict(type='LinearLR', start_factor=0.1, end=4, by_epoch=False),
        dict(type='CosineAnnealingLR', begin=1, T_max=2, end=3),
        dict(type='ReduceOnPlateauLR', monitor='loss'),
    ]
    runner = FakeRunner(wrapper)
    assert step_schedulers(runner, entries) == []
    assert group['lr'] == 0.05 and runner.optim_wrapper is not wrapper
    assert runner.optim_wrapper.optimizer.param_groups[0]['lr'] == pytest.approx(0.25)
    assert step_schedulers(FakeRunner(wrapper), None) == []


def test_a_scheduler_that_is_cut_short_is_a_warning_and_those_of_every_optimiser_are_looked_at():
    runner = FakeRunner(OptimWrapperDict(a=optimizer(), b=optimizer()))
    entries = dict(a=[dict(type='StepLR', step_size=1)], b=[dict(type='CosineAnnealingLR', T_max=9, end=9)])
    (warning,) = step_schedulers(runner, entries)
    assert (
        warning
        == '`param_scheduler.0` (CosineAnnealingLR) goes on until 9, but the training has 3 epochs: it is cut short'
    )


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (
            dict(type='OneCycleLR', eta_max=0.1, total_steps=5, by_epoch=False),
            'fails after iteration 6: Tried to step',
        ),
        (dict(type='StepLR', step_size=1, begin=3), r'\.0` \(StepLR\) must begin .* 3 epochs ends, got begin=3'),
        (
            dict(type='StepLR', step_size=1, begin=12, by_epoch=False),
            'the training of 12 iterations ends, got begin=12',
        ),
        (dict(type='CosineAnnealingLR', T_max=3, eta_min=-1), 'finite and not negative, got -.* iteration 4 of 12'),
        (dict(type='ExponentialLR', gamma=float('nan')), 'finite and not negative, got nan after iteration 4'),
        (dict(type='ConstantLR', factor=0.0, end=99), 'above 0 at some time, got 0 in every iteration'),
    ],
)
def test_schedulers_that_fail_on_the_way(entry, message):
    with pytest.raises(ValueError, match=message):
        step_schedulers(FakeRunner(optimizer()), [entry])


@pytest.mark.parametrize(
    ('interval', 'begin', 'done', 'times'), [(1, 1, 0, 3), (2, 1, 0, 2), (1, 3, 0, 1), (5, 1, 0, 1), (1, 1, 8, 1)]
)
def test_validations_are_counted_as_mmengine_does_them(interval, begin, done, times):
    runner = SimpleNamespace(train_loop=None, max_epochs=3, train_dataloader=range(4))
    runner.val_interval, runner.val_begin = interval, begin
    assert count_validations(runner, done) == times
    runner.train_loop, runner.max_iters = object.__new__(IterBasedTrainLoop), 3
    assert count_validations(runner, done // 4) == times


def test_workers_load_while_the_network_computes(monkeypatch):
    monkeypatch.setattr('os.cpu_count', lambda: 16)
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '4')
    assert per_batch(1.0, 8.0, 0) == 9
    assert per_batch(1.0, 8.0, 2) == 4
    assert per_batch(1.0, 8.0, 100) == 2  # four cores for this rank
    assert per_batch(3.0, 8.0, 100) == 3


def test_what_fails_on_one_rank_is_known_on_all(monkeypatch):
    monkeypatch.setattr(ranks.dist, 'get_world_size', lambda: 3)
    monkeypatch.setattr(ranks.torch.distributed, 'new_group', lambda **options: options)
    others = [None, 'no memory']
    monkeypatch.setattr(ranks.dist, 'all_gather_object', lambda message, group: [message, *others])
    group = Ranks(timedelta(seconds=1))
    stage = Stage('a.py')
    with stage.part('training', group):
        pass
    assert stage.failures == dict(training='no memory (on rank 2; 2 other ranks went on)')
    others[:] = [None, None]
    assert group.agree(None) is None
    others[:] = ['bad', 'bad']
    assert group.agree('bad') == 'bad'


def test_ranks_that_do_not_arrive_end_the_job(monkeypatch):
    def wait(*_):
        raise RuntimeError('timed out')

    monkeypatch.setattr(ranks.dist, 'get_world_size', lambda: 2)
    monkeypatch.setattr(ranks.torch.distributed, 'new_group', lambda **options: options)
    monkeypatch.setattr(ranks.dist, 'all_gather_object', wait)
    with pytest.raises(RuntimeError, match='do not agree; what failed on rank 0: no memory'):
        Ranks().agree('no memory')


def test_errors_are_described(capsys):
    try:
        Config.fromfile(__file__ + 'x')
    except FileNotFoundError as error:
        text = describe(error)
    assert text.startswith('FileNotFoundError: ') and 'mmengine' in text and ', line ' in text
    assert describe(torch.OutOfMemoryError('out of memory.\nmore')).startswith(
        'out of memory. Make `batch_size` small'
    )
    stage = Stage('a.py')
    with stage.part('model', Ranks()):
        _ = {}['missing']
    assert stage.failures['model'].startswith("KeyError: 'missing' (in ") and 'Traceback' in capsys.readouterr().err


def test_a_folder_under_a_file(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(ValueError, match=r"`work_dir` must be a folder, got '.*file/work', but '.*file' is a file"):
        disk.check_folder(tmp_path / 'file/work')
    disk.check_folder(tmp_path / 'new/folder')
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_needs_of_all_stages_are_added_up_by_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(disk.shutil, 'disk_usage', lambda _: shutil._ntuple_diskusage(9, 0, 3e9))
    assert disk.check_space([{tmp_path / 'a': 10**9}, {tmp_path / 'b': 10**9}]) == []
    (text,) = disk.check_space([{tmp_path / 'a': 2 * 10**9}, {tmp_path / 'b': 2 * 10**9}])
    assert '3 GB left, and 4 GB are needed; make room' in text


def test_checkpoints_are_found_wherever_a_config_names_them(tmp_path):
    path = tmp_path / 'a.pth'
    config = Config(dict(model=[dict(a=(f'{path}::ema', 1))], load_from=str(path), other='b.pth'))
    found = with_stand_ins(config, {str(path): 'c.pth'})
    assert found.model == [dict(a=('c.pth', 1))] and found.load_from == 'c.pth' and found.other == 'b.pth'
    assert config.load_from == str(path)
    assert named_files(config._cfg_dict) == {str(path), 'b.pth'}


def test_nothing_is_written_outside_the_folder(tmp_path):
    clips = dict(type='mmfct.Surreal', data_root=str(tmp_path), split='val')
    table = dict(type='mmfct.EmbeddingTable', dataset=dict(type='RepeatDataset', dataset=clips))
    config = Config(
        dict(
            work_dir='work',
            visualizer=dict(type='Visualizer', save_dir='v', vis_backends=[dict(type='WandbVisBackend')]),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', out_dir='s3://a')),
            train_dataloader=dict(dataset=table),
        )
    )
    (tmp_path / 'surreal_val.json').write_text('{}')
    found = confined(config, tmp_path / 'folder')
    assert found.work_dir == str(tmp_path / 'folder') and found.default_hooks.checkpoint == dict(type='CheckpointHook')
    assert found.visualizer == dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
    index = found.train_dataloader.dataset.dataset.dataset.index_file
    assert index == str(tmp_path / 'folder/surreal_val.json') and Path(index).read_text() == '{}'
    assert with_sample_tables(found).train_dataloader.dataset.type is SampleTable
    assert found.train_dataloader.dataset.type == 'mmfct.EmbeddingTable' and config.work_dir == 'work'


def test_a_sample_of_a_table_is_as_long_as_the_table(digits):
    init_default_scope('mmpretrain')
    config = Config.fromfile(digits.root / 'resnet10_digits/resnet10_digits.py')
    settings = dict(config.test_dataloader.dataset, num_views=3, path='nowhere')
    settings.pop('type')
    table = SampleTable(**settings)
    assert len(table) == 719 and not Path('nowhere').exists()
    batch = table.__getitems__(range(719))
    assert batch['data_samples']['sample_idx'].tolist() == list(range(719))
    real = SampleTable(**settings | dict(num_views=1, path=config.test_dataloader.dataset.path))
    for index in (0, 5, 718):  # among those that are computed
        one, other = table[index], real[index]
        assert one['data_samples'] == other['data_samples']
        assert all(torch.allclose(one['inputs'][role], other['inputs'][role], atol=1e-5) for role in table.roles)
    assert table.cost.rows == 3 * 719 and table.cost.widths == dict(old=128, side=128, new=128)
    assert table.cost.size == 3 * 719 * (3 * 512 + 16) and table.cost.gallery_row == 1024 and table.cost.seconds > 0
    assert real.cost == TableCost(719, table.cost.widths, 0.0, exists=True) and real.cost.size == 0
    with pytest.raises(ValueError, match="the data set of the embedding table 'nowhere' is empty"):
        len(SampleTable(**settings | dict(dataset=dict(settings['dataset'], indices=0, serialize_data=False))))
    assert np.isfinite(batch['inputs']['old'].numpy()).all()
