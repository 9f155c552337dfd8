"""What must be trained before a config, and in which order."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import torch

from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.prerequisite import unfinished_prerequisites
from mmfct.apis.training.record import TrainingRecord

OLD = """
kind, epochs, seed = 'plain', 3, 0
epochs = 3
setting = 'half'
load_from = None
train_cfg = dict(max_epochs=epochs)
model = dict(setting=setting)
auto_scale_lr = dict(base_batch_size=256)
optim_wrapper = dict(optimizer=dict(lr=1))
"""
SIDE = """
root = 'runs'
setting = 'half'
work_dir = 'elsewhere'
table = f'{work_dir}/table'
prerequisites = [dict(config='old.py', checkpoint=f'{root}/old/final.pth', cfg_options=dict(setting=setting))]
auto_scale_lr = dict(base_batch_size=256)
optim_wrapper = dict(optimizer=dict(lr=1))
"""
MAIN = """
root = 'runs'
setting = 'half'
work_dir = f'{root}/main'
new_checkpoint = f'{root}/new/final.pth'
prerequisites = [
    dict(config='side.py', checkpoint=f'{root}/side/final.pth', cfg_options=dict(setting=setting)),
    dict(config='old.py', checkpoint=f'{root}/old/final.pth', cfg_options=dict(setting=setting)),
    dict(config='old.py', checkpoint=new_checkpoint, cfg_options=dict(epochs=9)),
]
auto_scale_lr = dict(base_batch_size=256)
optim_wrapper = dict(optimizer=dict(lr=1))
"""


@pytest.fixture
def root(tmp_path) -> Path:
    for name, text in dict(old=OLD, side=SIDE, main=MAIN).items():
        (tmp_path / f'{name}.py').write_text(text)
    return tmp_path


def stages_of(root: Path, **options) -> list:
    options = TrainingOptions(**{'cfg_options': {}} | options)
    options.cfg_options.setdefault('root', str(root / 'runs'))
    return unfinished_prerequisites(options.load(root / 'main.py'), options)


def finish(stage) -> None:
    stage.checkpoint.parent.mkdir(parents=True)
    torch.save(dict(state_dict={}), stage.checkpoint)


def test_order_is_that_of_the_config_with_what_they_need_before_them(root):
    stages = stages_of(root)
    assert [stage.checkpoint.parent.name for stage in stages] == ['old', 'side', 'new']
    assert [stage.path.name for stage in stages] == ['old.py', 'side.py', 'old.py']
    assert [stage.config.work_dir for stage in stages] == [str(stage.checkpoint.parent) for stage in stages]
    assert stages[1].config.table == f'{root}/runs/side/table'


def test_what_is_finished_is_left_out_with_what_it_needed(root, capsys):
    old, side, new = stages_of(root)
    finish(new)
    assert [stage.checkpoint for stage in stages_of(root)] == [old.checkpoint, side.checkpoint]
    assert 'old.py: finished, using' in capsys.readouterr().out
    finish(side)
    assert [stage.checkpoint for stage in stages_of(root)] == [old.checkpoint]
    finish(old)
    assert stages_of(root) == []


def test_a_config_without_prerequisites(root):
    options = TrainingOptions()
    assert unfinished_prerequisites(options.load(root / 'old.py'), options) == []


def test_options_of_variables_are_inherited_and_those_of_the_entry_win(root):
    old, side, new = stages_of(root, cfg_options={'epochs': 5, 'setting': 'tenth', 'model.width': 3})
    assert (old.config.model.setting, side.config.setting, new.config.model.setting) == ('tenth', 'tenth', 'tenth')
    assert (old.config.train_cfg.max_epochs, new.config.train_cfg.max_epochs) == (5, 9)
    assert 'width' not in old.config.model
    # What reaches a stage only through another one is in the command of that one too.
    assert 'epochs=5' in side.command() and 'model.width' not in side.command()


def test_what_belongs_to_one_training_is_not_inherited(root):
    options = {'load_from': 'h.pth', 'work_dir': 'x'}
    old, side, _ = stages_of(root, cfg_options=options)
    assert old.config.load_from is None
    assert side.config.work_dir == str(side.checkpoint.parent)


def test_flags_reach_every_stage_and_its_command(root):
    old, *_ = stages_of(root, amp=True, auto_scale_lr=True, no_pin_memory=True, resume=str(root / 'main.py'))
    assert old.config.optim_wrapper.type == 'AmpOptimWrapper' and old.config.auto_scale_lr.enable
    assert not old.config.resume and old.config.load_from is None
    assert '--amp --auto-scale-lr --no-pin-memory --cfg-options' in old.command()
    assert '--resume' not in old.command()


def test_interrupted_trainings_are_resumed(root):
    folder = root / 'runs/old'
    folder.mkdir(parents=True)
    (folder / 'last_checkpoint').write_text('/moved/epoch_1.pth')
    (folder / 'epoch_1.pth').touch()
    old, side, _ = stages_of(root)
    assert (old.config.resume, old.config.load_from) == (True, str(folder / 'epoch_1.pth'))
    assert side.config.resume is False
    assert f'--work-dir {folder} --resume --cfg-options' in old.command()


@pytest.mark.parametrize(
    'options',
    [dict(epochs=5), dict(setting='a b'), dict(setting=[1, ('x', 2.5)]), dict(setting=None), dict(setting=True)],
)
def test_command_means_the_same_training(root, options):
    """The command goes through the tool's own parser."""
    from mmfct.cli.train import make_parser

    stage = stages_of(root, cfg_options=dict(options))[-1]
    words = shlex.split(stage.command())
    assert words[:2] == ['mmfct', 'train']
    args = make_parser().parse_args(words[2:])
    assert args.cfg_options == {**stage.options.cfg_options}
    assert args.config == str(stage.path)
    assert args.work_dir == str(stage.checkpoint.parent)


def test_a_checkpoint_of_the_users_own(root):
    mine = root / 'mine.pth'
    with pytest.raises(FileNotFoundError, match=r"mine\.pth' does not exist, .* only final\.pth: check the path"):
        stages_of(root, cfg_options=dict(new_checkpoint=str(mine)))
    torch.save(dict(state_dict={}), mine)
    stages = stages_of(root, cfg_options=dict(new_checkpoint=str(mine)))
    assert [stage.checkpoint.parent.name for stage in stages] == ['old', 'side']
    mine.write_bytes(mine.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"mine\.pth' cannot be read: [^;]*$"):
        stages_of(root, cfg_options=dict(new_checkpoint=str(mine)))


def test_a_truncated_checkpoint(root):
    new = stages_of(root)[-1]
    finish(new)
    new.checkpoint.write_bytes(new.checkpoint.read_bytes()[:100])
    message = (
        r'final\.pth. cannot be read: it is truncated.*; '
        r'remove it, then create it again with `mmfct train .*`'
    )
    with pytest.raises(ValueError, match=message):
        stages_of(root)


def test_a_checkpoint_of_another_training(root):
    new = stages_of(root)[-1]
    TrainingRecord(new.checkpoint.parent, new.config).start(resume=False)
    torch.save(dict(state_dict={}), new.checkpoint)
    with pytest.raises(ValueError, match=r'another config, which differs in model\.setting'):
        stages_of(root, cfg_options=dict(setting='tenth'))


def test_missing_config(root):
    (root / 'side.py').unlink()
    with pytest.raises(FileNotFoundError, match=r'side\.py. does not exist'):
        stages_of(root)


def test_a_finished_one_needs_no_checkpoint_to_resume_from(root):
    stage = stages_of(root)[-1]
    finish(stage)
    (stage.checkpoint.parent / 'last_checkpoint').write_text('/removed/epoch_9.pth')
    assert stage.checkpoint not in [other.checkpoint for other in stages_of(root)]
