"""A training is tried before it starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from mmfct.apis.training.dry_run import disk as disk_module
from mmfct.apis.training.dry_run import dry_run, dry_run_report
from mmfct.apis.training.dry_run.stage import Stage
from mmfct.apis.training.options import TrainingOptions

CONFIGS = Path(__file__).parents[4] / 'configs'
DIGITS = str(CONFIGS / 'fct/resnet10_digits.py')
OLD = str(CONFIGS / 'fct/resnet10_digits_old.py')
SMALL = dict(epochs=2, warmup_epochs=1, image_size=8)
STAGES = [f'resnet10_digits{stage}.py' for stage in ('_old', '_side', '_new', '')]

pytestmark = pytest.mark.usefixtures('plain_config_text')


def snapshot(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """When everything in a folder was changed, and what it holds."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b'')
        for path in [folder, *folder.rglob('*')]
    }


@pytest.fixture
def work_dir(tmp_path, monkeypatch):
    """A work directory that does not exist; at the end it still does not, and the temporary folders are gone."""
    temporary = tmp_path / 'temporary'
    temporary.mkdir()
    monkeypatch.setattr('tempfile.tempdir', str(temporary))
    yield tmp_path / 'work'
    assert [path.name for path in tmp_path.iterdir()] == ['temporary']
    assert not list(temporary.glob('mmfct_*'))  # torch may leave an empty cache


def run(filename: str, work_dir: Path | None = None, with_prerequisites: bool = True, **cfg_options) -> list[Stage]:
    options = TrainingOptions(work_dir=work_dir and str(work_dir), cfg_options=cfg_options)
    return dry_run(filename, options, with_prerequisites=with_prerequisites)


def failures(stages: list[Stage]) -> list[tuple[str, str, str]]:
    return [(stage.name, part, text) for stage in stages for part, text in stage.failures.items()]


def test_every_stage_is_tried_in_order_from_weights_that_nobody_has_trained(work_dir, digits):
    stages = run(DIGITS, **digits.cfg_options | dict(work_root=str(work_dir)))
    assert failures(stages) == [] and not any(stage.warnings for stage in stages)
    assert [(stage.name, stage.state) for stage in stages] == [(name, 'tried') for name in STAGES]
    assert [stage.cost.images for stage in stages] == [541, 541, 1078, 1078]
    assert [stage.cost.iterations for stage in stages] == [2 * 9, 2 * 4, 2 * 17, 2 * 5]
    trained = torch.load(digits.root / 'resnet10_digits_old/final.pth', weights_only=True)['state_dict']
    learned = [value for name, value in trained.items() if not name.endswith(('_mean', '_var', '_tracked'))]
    assert stages[0].cost.parameters == sum(value.numel() for value in learned)
    files = sum(path.stat().st_size for path in digits.root.rglob('*') if path.suffix in ('.pth', '.npy'))
    assert sum(sum(stage.cost.disk.values()) for stage in stages) == pytest.approx(files, rel=0.1)
    for stage in stages:
        assert 0 < stage.cost.step_seconds < 60 and stage.cost.seconds > 0 and stage.cost.memory > 1e8
    report = dry_run_report(stages)
    assert '1,078 images of 10 classes' in report and '719 embeddings to compute' in report
    assert '| resnet10_digits_side.py |    541 |          8 |' in report
    assert report.endswith('Nothing failed, and nothing was written.')


def test_finished_stages_are_read_and_left_alone(digits):
    before = snapshot(digits.root)
    stages = run(DIGITS, **digits.cfg_options)
    assert [stage.state for stage in stages] == ['finished'] * 3 + ['tried'] and failures(stages) == []
    assert any(note.endswith('1,078 embeddings are there') for note in stages[-1].notes)
    assert stages[-1].warnings == [f'{digits.root}/resnet10_digits holds a finished training, which this one replaces']
    assert snapshot(digits.root) == before


def test_a_corrupt_checkpoint_and_a_stage_of_another_training_do_not_hide_what_comes_later(digits, tmp_path):
    root = tmp_path / 'root'
    shutil.copytree(digits.root, root)
    final = root / 'resnet10_digits_old/final.pth'
    final.write_bytes(final.read_bytes()[:1000])
    before = snapshot(root)
    options = digits.cfg_options | {'work_root': str(root), 'side_epochs': 3, 'model.head.new_dims': 7}
    (old, corrupt), (side, other), (last, width) = [
        (f'{name}: {part}', text) for name, part, text in failures(run(DIGITS, **options))
    ]
    assert (old, side, last) == (f'{STAGES[0]}: checkpoint', f'{STAGES[1]}: checkpoint', f'{STAGES[3]}: training')
    assert 'cannot be read: it is truncated' in corrupt and 'remove it, then create it again with `' in corrupt
    assert 'holds a training of another config' in other and 'new embedding must have shape (B, 7)' in width
    assert snapshot(root) == before


def test_a_checkpoint_that_no_training_makes(work_dir):
    stages = run(DIGITS, with_prerequisites=False, **SMALL, work_root=str(work_dir))
    found = failures(stages)
    assert [stage.state for stage in stages] == ['not tried'] * 4
    assert [part for _, part, _ in found] == ['checkpoint'] * 3 + ['prerequisites']
    assert all('does not exist; make it with `' in text for _, _, text in found[:3])
    assert found[3][2].startswith('not tried, since it reads') and 'old/final.pth' in found[3][2]
    report = dry_run_report(stages)
    assert 'failed: resnet10_digits_new.py: checkpoint: ' in report
    assert report.endswith('4 failures: the training would not get through')
    (stage, *_) = run(DIGITS, **SMALL, work_root=str(work_dir), old_checkpoint='own.pth', side_checkpoint='own.pth')
    assert 'a training creates only final.pth' in stage.failures['checkpoint']


@pytest.mark.parametrize(
    ('options', 'part', 'message'),
    [
        ({'train_dataloader.dataset.num_classes': 11}, 'train_dataloader', 'must be at most 10'),
        (
            {'model.head.num_classes': 3},
            'train_dataloader',
            'must be more than the largest label, 4, got 3',
        ),
        ({'train_dataloader.batch_size': 5000, 'train_dataloader.drop_last': True}, 'schedule', 'make the batches sm'),
        ({'param_scheduler.0.begin': 1, 'param_scheduler.0.end': 1}, 'schedule', r'\.0.* has no step'),
        ({'model.backbone.type': 'NoNet'}, 'model', 'NoNet is not in the .*registry'),
        ({'optim_wrapper.optimizer.lr': 1e30}, 'training', 'the loss of iteration 2 must be finite, got nan'),
        ({'load_from': 'nowhere.pth'}, 'training', 'FileNotFoundError: nowhere.pth can not be found'),
        (
            {'param_scheduler': [dict(type='StepLR', step_size=1, begin=2)]},
            'schedule',
            'no step, .* begin=2, end=2; change',
        ),
    ],
)
def test_what_would_fail_sooner_or_later(work_dir, options, part, message):
    (stage,) = run(OLD, work_dir, **SMALL | options)
    assert list(stage.failures) == [part]
    with pytest.raises(ValueError, match=message):
        raise ValueError(stage.failures[part])


def test_weights_per_instance_are_tried_and_counted_with_a_test_that_fails(work_dir):
    options = {'weighting': 'itp_gradient', 'epochs': 2, 'test_evaluator.topk': (1, 30)}
    (stage,) = run(str(CONFIGS / 'itp/resnet10_digits_noisy.py'), work_dir, **options)
    assert list(stage.failures) == ['test batch'] and 'Top-30 accuracy' in stage.failures['test batch']
    assert stage.cost.images == 1078 and set(stage.cost.disk) == {work_dir}


def test_missing_data_of_all_stages_are_listed(work_dir, tmp_path):
    stages = run(str(CONFIGS / 'fct/resnet10_omniglot.py'), data_root=str(tmp_path / 'none'), work_root=str(work_dir))
    found = failures(stages)
    assert [name.partition('omniglot')[2] for name, *_ in found] == ['_old.py', '_side.py', '_new.py', '.py', '.py']
    assert all('which does not exist; ' in text for *_, text in found)


def test_a_disk_that_is_too_small_and_a_folder_that_cannot_be_written(work_dir, monkeypatch):
    monkeypatch.setattr(disk_module.shutil, 'disk_usage', lambda _: shutil._ntuple_diskusage(2e6, 1e6, 1e6))
    monkeypatch.setattr(disk_module.os, 'access', lambda *_: False)
    (stage,) = run(OLD, work_dir, **SMALL)
    assert (
        '0.001 GB left, and 0.0' in stage.failures['disk'] and 'change the permissions' in stage.failures['work_dir']
    )


def test_a_training_to_resume(digits):
    before = snapshot(digits.root)
    work_dir = str(digits.root / 'resnet10_digits_old')
    (stage,) = dry_run(OLD, TrainingOptions(work_dir=work_dir, resume='auto', cfg_options=SMALL))
    assert not stage.failures and stage.cost.iterations == 0 and '0 iterations tried, ' in stage.notes[-1]
    (stage,) = dry_run(OLD, TrainingOptions(work_dir=work_dir, resume='auto', cfg_options=SMALL | dict(epochs=3)))
    assert 'holds a training of another config' in stage.failures['work_dir'] and stage.cost.iterations == 9
    assert snapshot(digits.root) == before
