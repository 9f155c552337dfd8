"""What a training folder says about the training in it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from mmfct.apis.training.config import load_config
from mmfct.apis.training.record import TrainingRecord

CONFIGS = Path(__file__).parents[3] / 'configs/fct'
CONFIG = dict(
    model=dict(type='Classifier', head=dict(num_classes=10), widths=(1, 2)),
    train_dataloader=dict(batch_size=4, num_workers=2, dataset=dict(type='Set', data_root='data/a')),
    test_dataloader=dict(batch_size=9),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
    param_scheduler=[dict(type='LinearLR', end=5)],
    train_cfg=dict(by_epoch=True, max_epochs=3, val_interval=1),
    auto_scale_lr=dict(base_batch_size=256),
    randomness=dict(seed=0),
    default_hooks=dict(checkpoint=dict(interval=10)),
    work_dir='x',
)


def make_runner(model: torch.nn.Module, *hooks: Hook, dataset: object = ()) -> SimpleNamespace:
    """What a runner has for the record: a config, a model, an epoch, a data set and hooks."""

    def call_hook(name: str, **arguments) -> None:
        for hook in hooks:
            getattr(hook, name)(None, **arguments)

    loader = SimpleNamespace(dataset=dataset)
    return SimpleNamespace(cfg=Config(CONFIG), model=model, epoch=3, train_dataloader=loader, call_hook=call_hook)


@pytest.fixture
def runner() -> SimpleNamespace:
    return make_runner(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)))


def changed(key: str, value: object) -> Config:
    config = Config(copy.deepcopy(CONFIG))
    config.merge_from_dict({key: value})
    return config


def test_a_training_is_finished_when_the_final_checkpoint_is_there(tmp_path, runner):
    record = TrainingRecord(tmp_path / 'new/folder', Config(CONFIG))
    assert not record.is_finished()
    record.start(resume=False)
    assert not record.is_finished()
    record.finish(runner)
    assert record.is_finished()
    assert TrainingRecord(tmp_path / 'new/folder', Config(CONFIG)).is_finished()
    assert sorted(path.name for path in (tmp_path / 'new/folder').iterdir()) == ['final.pth', 'training.json']


def test_final_checkpoint_holds_weights_and_plain_values(tmp_path, runner):
    record = TrainingRecord(tmp_path, Config(CONFIG))
    record.start(resume=False)
    record.finish(runner)
    checkpoint = torch.load(tmp_path / 'final.pth', weights_only=True)
    assert checkpoint.keys() == {'state_dict', 'meta'}
    assert checkpoint['meta']['epochs'] == 3
    assert checkpoint['meta']['config'] == json.loads((tmp_path / 'training.json').read_text())
    assert checkpoint['meta']['config']['model']['widths'] == [1, 2]
    torch.testing.assert_close(checkpoint['state_dict'], dict(runner.model.state_dict()))


def test_final_checkpoint_has_the_names_of_the_model_without_its_wrapper(tmp_path, runner):
    from mmengine.model import MMDistributedDataParallel

    wrapper = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    torch.nn.Module.__init__(wrapper)
    wrapper.module = runner.model
    TrainingRecord(tmp_path, Config(CONFIG)).finish(make_runner(wrapper))
    state_dict = torch.load(tmp_path / 'final.pth', weights_only=True)['state_dict']
    assert state_dict.keys() == runner.model.state_dict().keys()


def test_final_checkpoint_holds_what_hooks_add(tmp_path, runner):
    class Table(Hook):
        def before_save_checkpoint(self, runner, checkpoint):
            checkpoint['table'] = torch.ones(2)

    TrainingRecord(tmp_path, Config(CONFIG)).finish(make_runner(runner.model, Table()))
    assert torch.load(tmp_path / 'final.pth', weights_only=True)['table'].tolist() == [1, 1]


def test_final_checkpoint_has_the_meta_information_of_the_data_and_the_config(tmp_path, runner):
    class Names(tuple):
        """A tuple of its own type, as named tuples are."""

    metainfo = dict(
        classes=('cat', 'dog'),
        palette=[[1, 2, 3], (4, 5, 6)],
        label_map={0: 1},
        colors=np.array([[1, 2]]),
        count=np.int64(2),
        names=Names(['a']),
        kind=Names,
        nothing=None,
    )
    TrainingRecord(tmp_path, Config(CONFIG)).finish(
        make_runner(runner.model, dataset=SimpleNamespace(metainfo=metainfo))
    )
    meta = torch.load(tmp_path / 'final.pth', weights_only=True)['meta']
    assert meta['dataset_meta'] == metainfo | dict(
        colors=[[1, 2]], count=2, names=['a'], kind=f'{__name__}.{Names.__qualname__}'
    )
    assert Config.fromstring(meta['cfg'], '.py').to_dict() == CONFIG


def test_a_data_set_without_meta_information_leaves_none(tmp_path, runner):
    TrainingRecord(tmp_path, Config(CONFIG)).finish(runner)
    assert 'dataset_meta' not in torch.load(tmp_path / 'final.pth', weights_only=True)['meta']


def test_a_killed_save_leaves_no_final_checkpoint(tmp_path, runner, monkeypatch):
    def save_half(obj, path):
        Path(path).write_bytes(b'half')
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, 'save', save_half)
    record = TrainingRecord(tmp_path, Config(CONFIG))
    record.start(resume=False)
    with pytest.raises(KeyboardInterrupt):
        record.finish(runner)
    assert not record.is_finished()


@pytest.mark.parametrize(
    ('key', 'value', 'there'),
    [
        ('train_dataloader.dataset.data_root', 'data/b', "'data/a'"),
        ('optim_wrapper.optimizer.lr', 0.2, '0.1'),
        ('model.head.num_classes', 20, '10'),
        ('train_dataloader.batch_size', 8, '4'),
        ('train_cfg.max_epochs', 4, '3'),
        ('auto_scale_lr.enable', True, 'None'),
        ('randomness.seed', 1, '0'),
        ('param_scheduler.0.end', 6, '5'),
        ('param_scheduler', [], r"\[\{'end': 5, 'type': 'LinearLR'\}\]"),
        ('custom_hooks', [dict(type='EMAHook')], 'None'),
    ],
)
def test_another_config_is_refused_with_the_entry_that_differs(tmp_path, key, value, there):
    TrainingRecord(tmp_path, Config(CONFIG)).start(resume=False)
    record = TrainingRecord(tmp_path, changed(key, value))
    message = rf'differs in {key} \(there {there}, asked for .*\); remove the folder, or choose .*`--work-dir`'
    with pytest.raises(ValueError, match=message):
        record.is_finished()
    with pytest.raises(ValueError, match=message):
        record.start(resume=True)


def test_several_differences_are_counted(tmp_path):
    TrainingRecord(tmp_path, Config(CONFIG)).start(resume=False)
    config = changed('optim_wrapper.optimizer', dict(lr=1.0, momentum=0.9, nesterov=True))
    with pytest.raises(ValueError, match=r'differs in optim_wrapper\.optimizer\.lr .* and 2 more entries;'):
        TrainingRecord(tmp_path, config).is_finished()


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('train_dataloader.num_workers', 0),
        ('train_dataloader.pin_memory', True),
        ('train_dataloader.persistent_workers', True),
        ('train_dataloader.prefetch_factor', 4),
        ('train_cfg.val_interval', 5),
        ('test_dataloader.batch_size', 1),
        ('default_hooks.checkpoint.interval', 1),
        ('work_dir', 'y'),
        ('model.widths', [1, 2]),
    ],
)
def test_what_does_not_decide_the_weights_may_change(tmp_path, runner, key, value):
    TrainingRecord(tmp_path, Config(CONFIG)).start(resume=False)
    record = TrainingRecord(tmp_path, changed(key, value))
    assert not record.is_finished()
    record.start(resume=True)


@pytest.mark.parametrize(
    ('options', 'entry'),
    [
        (dict(data_root='/d'), r'train_dataloader\.dataset\.dataset\.data_root'),
        (dict(num_classes=7), r'model\.data_preprocessor\.num_classes'),
        (dict(old_classes=7), r'train_dataloader\.dataset\.num_classes'),
        (dict(batch_size=7), r'train_dataloader\.batch_size'),
        (dict(seed=7), r'randomness\.seed'),
        ({'optim_wrapper.optimizer.lr': 7}, r'optim_wrapper\.optimizer\.lr'),
    ],
)
def test_options_of_a_real_config_are_noticed(tmp_path, options, entry):
    path = CONFIGS / 'resnet50_imagenet_old.py'
    TrainingRecord(tmp_path, load_config(path)).start(resume=False)
    TrainingRecord(tmp_path, load_config(path, dict(num_workers=0, work_dir='x'))).start(resume=True)
    with pytest.raises(ValueError, match=f'differs in {entry} '):
        TrainingRecord(tmp_path, load_config(path, options)).is_finished()


def test_a_new_start_takes_back_the_earlier_result(tmp_path, runner):
    record = TrainingRecord(tmp_path, Config(CONFIG))
    record.start(resume=False)
    record.finish(runner)
    (tmp_path / 'last_checkpoint').write_text('epoch_1.pth')
    record.start(resume=False)
    assert not record.is_finished()
    assert not (tmp_path / 'last_checkpoint').exists()  # of a finished training: the data may have changed since
    (tmp_path / 'last_checkpoint').write_text('epoch_1.pth')
    record.start(resume=False)
    assert (
        tmp_path / 'last_checkpoint'
    ).is_file()  # of an interrupted one: whoever forgot `--resume` can still resume


def test_a_new_start_of_another_config_leaves_nothing_to_resume(tmp_path):
    TrainingRecord(tmp_path, Config(CONFIG)).start(resume=False)
    (tmp_path / 'last_checkpoint').write_text('epoch_1.pth')
    other = TrainingRecord(tmp_path, changed('randomness.seed', 1))
    other.start(resume=False)
    assert not other.is_finished()
    assert not (tmp_path / 'last_checkpoint').exists()


def test_a_new_start_removes_what_was_measured(tmp_path, runner):
    record = TrainingRecord(tmp_path, Config(CONFIG))
    for name in ('compatibility.json', 'metrics.json'):
        (tmp_path / name).write_text('{}')
    record.start(resume=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['training.json']


def test_the_preprocessing_decides_too(tmp_path):
    TrainingRecord(tmp_path, changed('data_preprocessor', dict(mean=[1.0]))).start(resume=False)
    with pytest.raises(ValueError, match=r'differs in data_preprocessor.mean.0 \(there 1.0, asked for 2.0\)'):
        TrainingRecord(tmp_path, changed('data_preprocessor', dict(mean=[2.0]))).is_finished()
    record = json.loads((tmp_path / 'training.json').read_text())
    del record['data_preprocessor']  # as an earlier version wrote it
    (tmp_path / 'training.json').write_text(json.dumps(record))
    TrainingRecord(tmp_path, changed('data_preprocessor', dict(mean=[2.0]))).is_finished()


def test_other_weights_of_a_checkpoint_are_another_training(tmp_path, runner):
    path, other = tmp_path / 'old.pth', tmp_path / 'work'
    config = changed('model.encoders', dict(old=dict(checkpoint=str(path))))
    torch.save(dict(state_dict=dict(a=torch.zeros(2)), meta=1), path)
    TrainingRecord(other, config).start(resume=False)
    torch.save(dict(state_dict=dict(a=torch.zeros(2)), meta=2), path)  # the same weights
    TrainingRecord(other, config).check()
    torch.save(dict(state_dict=dict(a=torch.ones(2))), path)
    with pytest.raises(ValueError, match=f'differs in the weights of {path};'):
        TrainingRecord(other, config).check()
    path.unlink()  # to be trained again, maybe to the same
    TrainingRecord(other, config).check()


def test_functions_have_the_same_name_in_every_process(tmp_path):
    record = TrainingRecord(tmp_path, changed('model.backbone', dict(type=make_runner)))
    assert record.content['model']['backbone']['type'] == f'{__name__}.make_runner'


def test_a_checkpoint_without_record_counts(tmp_path):
    torch.save(dict(state_dict={}), tmp_path / 'final.pth')
    assert TrainingRecord(tmp_path, Config(CONFIG)).is_finished()


@pytest.mark.parametrize(
    ('key', 'value'),
    [('auto_scale_lr.enable', True), ('optim_wrapper.type', 'AmpOptimWrapper'), ('optim_wrapper.loss_scale', 512.0)],
)
def test_a_finished_training_stays_valid_on_another_machine(tmp_path, runner, capsys, key, value):
    record = TrainingRecord(tmp_path, changed(key, value))
    record.start(resume=False)
    record.finish(runner)
    here = TrainingRecord(tmp_path, Config(CONFIG))
    assert here.is_finished()
    assert f'was trained with another {key} (there {value!r}, asked for None)' in capsys.readouterr().out
    with pytest.raises(ValueError, match=f'differs in {key} '):  # but it cannot be continued in another way
        here.start(resume=True)
    with pytest.raises(ValueError, match=r'differs in .* and 1 more entries'):
        TrainingRecord(tmp_path, changed('optim_wrapper.optimizer.lr', 0.3)).is_finished()


def test_inputs_that_have_moved_are_the_same_inputs(tmp_path, runner):
    def config(name: str, table: str) -> Config:
        encoders = dict(old=dict(checkpoint=str(tmp_path / name)))
        dataset = dict(type='mmfct.EmbeddingTable', path=table, encoders=encoders)
        return Config(CONFIG | dict(model=dict(encoders=encoders), train_dataloader=dict(dataset=dataset)))

    torch.save(dict(w=torch.ones(2)), tmp_path / 'a.pth')
    torch.save(dict(w=torch.ones(2)), tmp_path / 'moved.pth')
    torch.save(dict(w=torch.zeros(2)), tmp_path / 'other.pth')
    TrainingRecord(tmp_path / 'work', config('a.pth', 'table')).start(resume=False)
    assert not TrainingRecord(tmp_path / 'work', config('moved.pth', 'renamed/table')).is_finished()
    for name in ('other.pth', 'none.pth'):
        with pytest.raises(ValueError, match=rf"encoders\.old\.checkpoint \(there '.*a\.pth', asked for '.*{name}'"):
            TrainingRecord(tmp_path / 'work', config(name, 'table')).is_finished()
    (tmp_path / 'a.pth').unlink()  # what is missing at the same path is not another one
    assert not TrainingRecord(tmp_path / 'work', config('a.pth', 'table')).is_finished()
