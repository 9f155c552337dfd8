"""The options of the command line, written into a config."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from mmfct.apis.training.options import TrainingOptions


@pytest.fixture
def config() -> Config:
    return Config(
        dict(
            train_dataloader=dict(num_workers=2),
            val_dataloader=dict(num_workers=0),
            val_cfg=dict(),
            val_evaluator=dict(type='Accuracy'),
            test_dataloader=dict(
                num_workers=1, collate_fn=dict(type='mine'), pin_memory=True, persistent_workers=True
            ),
            test_cfg=dict(),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0)),
            auto_scale_lr=dict(base_batch_size=256, enable=False),
            resume=False,
            load_from=None,
        ),
        cfg_text='none',
        filename='some/where/name.py',
    )


def test_defaults(config):
    before = config.to_dict()
    TrainingOptions().apply(config)
    loader = dict(pin_memory=torch.cuda.is_available(), persistent_workers=True)
    assert config.to_dict() == before | dict(
        work_dir='work_dirs/name',
        launcher='none',
        train_dataloader=dict(loader, num_workers=2),
        val_dataloader=dict(loader, num_workers=0, persistent_workers=False),
    )


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmseg', 'mmengine', None])
def test_batches_are_collated_as_the_host_of_the_config_does(config, scope):
    config.default_scope = scope
    TrainingOptions().apply(config)
    stacked = dict(type='default_collate') if scope == 'mmpretrain' else None  # of mmengine's Runner
    assert [loader.get('collate_fn') for loader in _loaders(config)] == [stacked, stacked, dict(type='mine')]


def test_no_workers_persist_or_fetch_where_there_are_none(config):
    config.train_dataloader.update(num_workers=0, persistent_workers=True, prefetch_factor=4)
    config.val_dataloader = dict(batch_size=1, persistent_workers=True)  # torch's default is 0
    config.test_dataloader.prefetch_factor = 4
    TrainingOptions().apply(config)
    assert [loader.persistent_workers for loader in _loaders(config)] == [False, False, True]
    assert [loader.get('prefetch_factor') for loader in _loaders(config)] == [None, None, 4]


def test_work_dir_of_the_option_goes_before_that_of_the_config(config):
    config.work_dir = 'of/config'
    TrainingOptions().apply(config)
    assert config.work_dir == 'of/config'
    TrainingOptions(work_dir='of/option').apply(config)
    assert config.work_dir == 'of/option'


def test_work_dir_reaches_what_the_config_computes_from_it(tmp_path):
    (tmp_path / 'c.py').write_text("work_dir = 'a'\nsetting = 1\ntable = f'{work_dir}/table{setting}'\n")
    options = TrainingOptions(work_dir='b', cfg_options=dict(setting=2))
    config = options.load(tmp_path / 'c.py')
    assert (config.work_dir, config.table) == ('b', 'b/table2')
    assert options.cfg_options == dict(setting=2)


@pytest.mark.parametrize('where', [None, 'here'])
def test_load_works_for_a_config_without_work_dir(tmp_path, where):
    (tmp_path / 'c.py').write_text('setting = 1\n')
    assert TrainingOptions(work_dir=where).load(tmp_path / 'c.py').work_dir == (where or 'work_dirs/c')


@pytest.mark.parametrize('named', ['epoch_1.pth', '/nowhere/epoch_1.pth', 'other/epoch_1.pth'])
@pytest.mark.parametrize('resume', ['auto', None])
def test_resume_the_latest(config, tmp_path, monkeypatch, named, resume):
    monkeypatch.chdir(tmp_path)
    for folder in ('', 'other'):  # of this training, and of the one that it was copied from
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / 'epoch_1.pth').touch()
    (tmp_path / 'last_checkpoint').write_text(named)
    if resume is None:  # the host's own way
        config.resume, config.load_from = True, None
    else:
        config.load_from = 'start.pth'
    TrainingOptions(resume=resume, work_dir=str(tmp_path)).apply(config)
    assert (config.resume, config.load_from) == (True, str(tmp_path / 'epoch_1.pth'))


@pytest.mark.parametrize('resume', ['auto', None])
def test_a_checkpoint_outside_of_the_work_directory_is_not_resumed(config, tmp_path, resume):
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other/epoch_1.pth').touch()
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'other/epoch_1.pth'))
    config.resume, config.load_from = resume is None, None
    with pytest.raises(FileNotFoundError, match=r"has no 'epoch_1\.pth' to resume from; put it there, name a check"):
        TrainingOptions(resume=resume, work_dir=str(tmp_path)).apply(config)


@pytest.mark.parametrize('resume', ['auto', None])
def test_checkpoints_that_the_hook_keeps_elsewhere_are_those_of_this_work_directory(config, tmp_path, resume):
    # As mmengine's checkpoint hook puts them: in a folder of `out_dir` that is named after the work directory.
    for name in ('here', 'copied_from'):
        (tmp_path / 'store' / name).mkdir(parents=True)
        (tmp_path / name).mkdir()
    (tmp_path / 'store/copied_from/epoch_1.pth').touch()
    (tmp_path / 'here/last_checkpoint').write_text(str(tmp_path / 'store/copied_from/epoch_1.pth'))
    config.default_hooks = dict(checkpoint=dict(out_dir=str(tmp_path / 'store')))
    options = TrainingOptions(resume=resume, work_dir=str(tmp_path / 'here'))
    config.resume, config.load_from = resume is None, None
    with pytest.raises(FileNotFoundError, match=r"store/here' has no 'epoch_1\.pth' to resume from"):
        options.apply(config)
    (tmp_path / 'store/here/epoch_1.pth').touch()
    options.apply(config)
    assert (config.resume, config.load_from) == (True, str(tmp_path / 'store/here/epoch_1.pth'))


def test_the_hosts_resume_without_a_checkpoint_starts_anew(config, tmp_path):
    config.resume, config.load_from = True, None
    TrainingOptions(work_dir=str(tmp_path)).apply(config)
    assert (config.resume, config.load_from) == (False, None)


@pytest.mark.parametrize('resume', ['auto', None])
@pytest.mark.parametrize('pointer', [None, ''])
def test_weights_to_start_from_stay_where_there_is_nothing_to_resume(config, tmp_path, resume, pointer):
    config.load_from = 'start.pth'
    if pointer is not None:
        (tmp_path / 'last_checkpoint').write_text(pointer)
    TrainingOptions(resume=resume, work_dir=str(tmp_path)).apply(config)
    assert (config.resume, config.load_from) == (False, 'start.pth')


def test_resume_a_file(config, tmp_path):
    (tmp_path / 'last_checkpoint').write_text('epoch_1.pth')
    (tmp_path / 'b.pth').touch()
    TrainingOptions(resume=str(tmp_path / 'b.pth'), work_dir=str(tmp_path)).apply(config)
    assert (config.resume, config.load_from) == (True, str(tmp_path / 'b.pth'))
    TrainingOptions(resume='s3://bucket/b.pth', work_dir=str(tmp_path)).apply(config)
    assert config.load_from == 's3://bucket/b.pth'
    with pytest.raises(FileNotFoundError, match=r"`--resume` must name a checkpoint, got 'a/b\.pth', which does not"):
        TrainingOptions(resume='a/b.pth', work_dir=str(tmp_path)).apply(config)


def test_amp(config):
    TrainingOptions(amp=True).apply(config)
    assert config.optim_wrapper == dict(
        optimizer=dict(type='SGD', lr=1.0), type='AmpOptimWrapper', loss_scale='dynamic'
    )
    assert config.test_cfg == dict(fp16=True)


def test_amp_keeps_a_loss_scale_and_does_without_training_or_test(config):
    config.optim_wrapper.loss_scale = 512.0
    config.test_cfg = None
    TrainingOptions(amp=True).apply(config)
    assert config.optim_wrapper.loss_scale == 512.0 and config.test_cfg is None
    config.optim_wrapper = None
    TrainingOptions(amp=True).apply(config)
    assert config.optim_wrapper is None


def test_no_validate(config):
    TrainingOptions(no_validate=True).apply(config)
    assert config.val_cfg is config.val_dataloader is config.val_evaluator is None
    assert config.test_cfg is not None


def test_auto_scale_lr(config):
    TrainingOptions(auto_scale_lr=True).apply(config)
    assert config.auto_scale_lr == dict(base_batch_size=256, enable=True)


@pytest.mark.parametrize('entry', [None, dict(enable=False)])
def test_auto_scale_lr_without_base_batch_size(config, entry):
    config.pop('auto_scale_lr')
    if entry is not None:
        config.auto_scale_lr = entry
    with pytest.raises(ValueError, match=r'`--auto-scale-lr` needs .*base_batch_size=.* in .some/where/name\.py'):
        TrainingOptions(auto_scale_lr=True).apply(config)


def test_no_pin_memory(config, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    TrainingOptions(no_pin_memory=True).apply(config)
    assert [loader.pin_memory for loader in _loaders(config)] == [False, False, False]


def test_memory_is_pinned_where_there_is_a_gpu(config, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    TrainingOptions().apply(config)
    assert [loader.pin_memory for loader in _loaders(config)] == [True, True, True]


def test_no_persistent_workers(config):
    TrainingOptions(no_persistent_workers=True).apply(config)
    assert [loader.persistent_workers for loader in _loaders(config)] == [False, False, False]


def test_everything_is_shown_on_request(config):
    TrainingOptions(verbose=True).apply(config)
    assert config.log_level == 'DEBUG'


def test_launcher(config, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    TrainingOptions(launcher='pytorch').apply(config)
    assert config.launcher == 'pytorch'
    assert config.model_wrapper_cfg.device_ids is None and config.env_cfg.dist_cfg.backend == 'gloo'


def test_cfg_options(tmp_path):
    (tmp_path / 'c.py').write_text('a = 1\nb = dict(c=a)\n')
    assert TrainingOptions(cfg_options={'a': 2, 'b.d': 3}).load(tmp_path / 'c.py').b == dict(c=2, d=3)


def _loaders(config: Config) -> list[dict]:
    return [config.train_dataloader, config.val_dataloader, config.test_dataloader]


def test_the_host_of_the_default_scope_must_be_there(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr('mmfct.hosts.require_hosts', asked.append)
    for scope in ('mmseg', 'mmengine', 'other'):
        path = tmp_path / f'{scope}.py'
        path.write_text(f'default_scope = {scope!r}')
        TrainingOptions().load(path)
    assert asked == ['mmseg', 'mmengine']
