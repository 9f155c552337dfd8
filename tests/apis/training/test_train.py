"""Training a config after what it needs."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from mmfct.apis.training import prerequisite
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.record import TrainingRecord
from mmfct.apis.training.test import test as run_test
from mmfct.apis.training.train import train
from mmfct.utils.json import without_nan

CONFIGS = Path(__file__).parents[3] / 'configs/fct'
STAGES = ('resnet10_digits_old', 'resnet10_digits_side', 'resnet10_digits_new', 'resnet10_digits')


def final_times(root: Path) -> dict[str, int]:
    return {stage: (root / stage / 'final.pth').stat().st_mtime_ns for stage in STAGES}


@pytest.fixture
def copied(digits, tmp_path, undrawn_figures) -> tuple[Path, dict]:
    """A life cycle that may be changed: its folder and its options."""
    root = tmp_path / 'root'
    shutil.copytree(digits.root, root)
    return root, digits.cfg_options | dict(work_root=str(root))


def test_stages_are_trained_in_order(digits):
    times = final_times(digits.root)
    assert sorted(times, key=times.get) == list(STAGES)


def test_final_checkpoints_are_safe_to_load_and_hold_only_weights_and_meta_data(digits):
    for stage in STAGES:
        checkpoint = torch.load(digits.root / stage / 'final.pth', weights_only=True)
        assert checkpoint.keys() == {'meta', 'state_dict'}
        assert checkpoint['meta']['epochs'] == 2
    assert all(name.startswith('head.') for name in checkpoint['state_dict'])


def test_metrics_and_reports(digits):
    names = ['compatibility/new/upgraded_map', 'compatibility/update_gain_map', 'compatibility/old/old_cmc1']
    assert all(name in digits.metrics for name in names)
    assert digits.metrics['compatibility/num_queries'] == 719
    folder = digits.root / 'resnet10_digits'
    assert json.loads((folder / 'compatibility.json').read_text()) == without_nan(digits.metrics)
    for name in ('compatibility.png', 'embeddings.png'):
        assert (folder / name).read_bytes().startswith(b'\x89PNG')


def test_the_table_has_the_numbers_of_the_json(digits):
    folder = digits.root / 'resnet10_digits'
    metrics = json.loads((folder / 'compatibility.json').read_text())
    lines = [line for line in _lines(folder / 'compatibility.md') if line.startswith('|')]
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
    assert rows[0][:4] == ['query/gallery', 'CMC-1 (%)', 'CMC-5 (%)', 'mAP (%)']
    table = {row[0].replace('h(old)', 'upgraded'): row[1:] for row in rows[2:]}
    assert list(table) == ['old/old', 'new/old', 'new/upgraded', 'upgraded/upgraded', 'new/new']
    for pair, row in table.items():
        assert row[:3] == [f'{100 * metrics[f"compatibility/{pair}_{name}"]:.2f}' for name in ('cmc1', 'cmc5', 'map')]
    assert table['new/upgraded'][3] == f'{100 * metrics["compatibility/update_gain_map"]:.2f}'


def test_a_second_call_trains_only_the_config_itself_and_gives_the_same(copied, digits):
    root, options = copied
    before = final_times(root)
    metrics = train(digits.config, TrainingOptions(cfg_options=options))
    after = final_times(root)
    assert [stage for stage in STAGES if after[stage] != before[stage]] == ['resnet10_digits']
    assert metrics == pytest.approx(digits.metrics, abs=1e-6, nan_ok=True)


def test_a_prerequisite_of_another_training_is_refused_before_anything_is_trained(copied, digits):
    root, options = copied
    shutil.rmtree(root / 'resnet10_digits_old')
    with pytest.raises(ValueError, match=r"_side' .* differs in train_cfg\.max_epochs \(there 2, asked for 3\)"):
        train(digits.config, TrainingOptions(cfg_options=options | dict(side_epochs=3)))
    assert not (root / 'resnet10_digits_old').exists()


def test_other_options_for_the_config_itself_replace_its_result(copied, digits):
    root, options = copied
    before = final_times(root)
    options = TrainingOptions(cfg_options=options | dict(transform_epochs=3))
    train(digits.config, options, with_prerequisites=False)  # and here none is missing
    assert torch.load(root / 'resnet10_digits/final.pth', weights_only=True)['meta']['epochs'] == 3
    assert final_times(root)['resnet10_digits_new'] == before['resnet10_digits_new']


def test_a_config_without_test_set_gives_no_metrics(copied):
    root, options = copied
    options = {name: options[name] for name in ('epochs', 'warmup_epochs', 'image_size')}
    work_dir = root / 'alone'
    metrics = train(
        str(CONFIGS / 'resnet10_digits_old.py'), TrainingOptions(work_dir=str(work_dir), cfg_options=options)
    )
    assert metrics == {}
    assert (work_dir / 'final.pth').is_file() and not (work_dir / 'compatibility.md').exists()
    # The same training as a stage of the life cycle, by the same numbers.
    theirs = torch.load(root / 'resnet10_digits_old/final.pth', weights_only=True)
    ours = torch.load(work_dir / 'final.pth', weights_only=True)
    assert ours['meta'].pop('cfg') and theirs['meta'].pop('cfg')  # the folders and options differ
    assert ours['meta'] == theirs['meta']
    torch.testing.assert_close(ours['state_dict'], theirs['state_dict'])


def test_work_dir_takes_tables_and_reports(copied, digits, tmp_path):
    _, options = copied
    train(digits.config, TrainingOptions(work_dir=str(tmp_path / 'own'), cfg_options=options))
    names = {path.name for path in (tmp_path / 'own').iterdir()}
    assert {'embeddings_train', 'embeddings_test', 'final.pth', 'compatibility.md'} <= names


def test_no_prerequisites_names_the_first_missing_file_and_its_command(copied, digits):
    root, options = copied
    for stage in STAGES[1:3]:
        (root / stage / 'final.pth').unlink()
    message = (
        r"checkpoint '.*/resnet10_digits_side/final\.pth' does not exist; make it with "
        r'`mmfct train .*resnet10_digits_side\.py --work-dir .*/resnet10_digits_side --resume '
        r'--cfg-options side_epochs=2 .*`'
    )
    with pytest.raises(FileNotFoundError, match=message):
        train(digits.config, TrainingOptions(cfg_options=options), with_prerequisites=False)


def test_a_truncated_prerequisite(copied, digits):
    root, options = copied
    checkpoint = root / 'resnet10_digits_side/final.pth'
    checkpoint.write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
    with pytest.raises(
        ValueError,
        match=r'resnet10_digits_side/final\.pth. cannot be read: .*; remove it, then create it again with `',
    ):
        train(digits.config, TrainingOptions(cfg_options=options))


@pytest.mark.parametrize('role', ['old', 'side', 'new'])
def test_a_wrong_width_is_noticed_before_anything_is_embedded(copied, digits, role):
    root, options = copied
    shutil.rmtree(root / 'resnet10_digits' / 'embeddings_train')
    options = options | {f'model.head.{role}_dims': 64}
    message = rf'the {role} embedding must have shape \(B, 64\) as `{role}_dims=64` of the head says, got \(1, 128\)'
    with pytest.raises(ValueError, match=message):
        train(digits.config, TrainingOptions(cfg_options=options))
    assert not (root / 'resnet10_digits' / 'embeddings_train').exists()


def test_a_split_of_more_classes_than_the_data_set_has(digits, tmp_path):
    options = digits.cfg_options | dict(old_classes=11, work_root=str(tmp_path))
    with pytest.raises(ValueError, match=r'`num_classes` must be at most 10, the number of classes .*, got 11'):
        train(digits.config, TrainingOptions(cfg_options=options))


@pytest.mark.parametrize('config', ['resnet10_omniglot.py', 'resnet10_grocery.py', 'resnet50_imagenet.py'])
def test_missing_data_are_noticed_first(config, tmp_path):
    options = dict(data_root=str(tmp_path / 'none'), work_root=str(tmp_path / 'work'))
    with pytest.raises(FileNotFoundError, match=r'`data_root` must .*none.*`--cfg-options data_root=\.\.\.`'):
        train(str(CONFIGS / config), TrainingOptions(cfg_options=options))
    assert not (tmp_path / 'work').exists()


def test_a_split_is_checked_for_every_stage_before_the_first_is_trained(tmp_path):
    for name in ('train/a', 'train/b', 'val/a', 'val/b'):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / '1.jpg').touch()
    options = dict(data_root=str(tmp_path), work_root=str(tmp_path / 'work'), num_classes=2)
    with pytest.raises(ValueError, match=r'at most 2, the number of folders in .*train., got 500; .*old_classes='):
        train(str(CONFIGS / 'resnet50_imagenet.py'), TrainingOptions(cfg_options=options))
    with pytest.raises(ValueError, match=r'`num_classes` must be at least 2, .* got 1; .*num_classes=2`'):
        train(
            str(CONFIGS / 'resnet50_imagenet.py'),
            TrainingOptions(cfg_options=options | dict(num_classes=1, old_classes=1)),
        )
    assert not (tmp_path / 'work').exists()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


@pytest.mark.parametrize(
    'options',
    [{'model.backbone.dpth': 3}, {'optim_wrapper.optimizer.type': 'SDG'}, {'param_scheduler.0.end': -1}],
)
def test_a_mistake_in_the_config_does_not_cost_the_earlier_result(copied, digits, options):
    root, _ = copied
    folder = root / 'resnet10_digits_old'
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    options = {name: digits.cfg_options[name] for name in ('epochs', 'warmup_epochs', 'image_size')} | options
    with pytest.raises(Exception):  # noqa: B017  # the host's, whatever it is
        train(str(CONFIGS / 'resnet10_digits_old.py'), TrainingOptions(work_dir=str(folder), cfg_options=options))
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before


def test_a_stage_that_another_process_has_finished_meanwhile_is_taken(copied, digits, monkeypatch):
    root, options = copied
    before = final_times(root)
    found = prerequisite.unfinished_prerequisites
    hidden = root / 'resnet10_digits_new/final.pth'

    def look(config, options):
        hidden.rename(root / 'hidden.pth')
        stages = found(config, options)
        (root / 'hidden.pth').rename(hidden)  # the other one is done
        return stages

    monkeypatch.setattr('mmfct.apis.training.train.unfinished_prerequisites', look)
    train(digits.config, TrainingOptions(cfg_options=options))
    assert final_times(root)['resnet10_digits_new'] == before['resnet10_digits_new']


def test_the_report_is_of_the_weights_that_are_saved(copied, digits):
    # mmengine saves the average of the weights that EMAHook keeps, and it is to be tested.
    root, options = copied
    options = options | {'custom_hooks': [dict(type='EMAHook', momentum=0.1)]}
    metrics = train(digits.config, TrainingOptions(cfg_options=options))
    again = run_test(
        digits.config,
        str(root / 'resnet10_digits/final.pth'),
        TrainingOptions(work_dir=str(root / 'test'), cfg_options=digits.cfg_options | dict(work_root=str(root))),
    )
    assert metrics == pytest.approx(again, abs=1e-6, nan_ok=True)


def test_fewer_images_than_a_batch_that_must_be_full(copied, digits):
    root, _ = copied
    names = ('epochs', 'warmup_epochs', 'image_size')
    options = {name: digits.cfg_options[name] for name in names}
    options |= {'train_dataloader.batch_size': 5000, 'train_dataloader.drop_last': True}
    with pytest.raises(
        ValueError, match='must have at least one batch, got .* images, `batch_size` 5000 and `drop_last`'
    ):
        train(
            str(CONFIGS / 'resnet10_digits_new.py'), TrainingOptions(work_dir=str(root / 'new'), cfg_options=options)
        )


def test_resuming_is_decided_when_no_other_process_trains(copied, digits, monkeypatch):
    root, options = copied
    folder = root / 'resnet10_digits_old'
    small = {name: options[name] for name in ('epochs', 'warmup_epochs', 'image_size')}
    train_module = sys.modules['mmfct.apis.training.train']
    lock = train_module.one_at_a_time

    @contextlib.contextmanager
    def other_process_was_here(path):
        (folder / 'epoch_1.pth').touch()
        (folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))  # written while this one waited
        with lock(path):
            yield

    seen = []
    monkeypatch.setattr(train_module, 'one_at_a_time', other_process_was_here)
    monkeypatch.setattr(train_module, 'train_stage', lambda config: seen.append(config.resume) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        options = TrainingOptions(work_dir=str(folder), resume='auto', cfg_options=small)
        train(str(CONFIGS / 'resnet10_digits_old.py'), options)
    assert seen == [True]


def test_a_copied_work_directory_is_resumed_from_its_own_checkpoints(copied, tmp_path):
    """Not from those at the path that the copy still names."""
    root, options = copied
    names = ('epochs', 'warmup_epochs', 'image_size')
    options = {name: options[name] for name in names} | {'default_hooks.checkpoint.interval': 1}
    config, first = str(CONFIGS / 'resnet10_digits_old.py'), tmp_path / 'first'
    train(config, TrainingOptions(work_dir=str(first), cfg_options=options))
    moved = tmp_path / 'moved'
    shutil.copytree(first, moved)
    for name in ('final.pth', 'epoch_2.pth'):  # as after an interruption in the second epoch
        (moved / name).unlink()
    assert (moved / 'last_checkpoint').read_text() == str(first / 'epoch_2.pth')
    (moved / 'last_checkpoint').write_text(str(first / 'epoch_1.pth'))
    (first / 'epoch_1.pth').write_bytes(b'of another training')
    train(config, TrainingOptions(work_dir=str(moved), resume='auto', cfg_options=options))
    assert torch.load(moved / 'final.pth', weights_only=True)['meta']['epochs'] == 2
    logs = '\n'.join(log.read_text() for log in tmp_path.rglob('*.log'))  # mmengine's of one second are one
    assert f'Load checkpoint from {moved}/epoch_1.pth' in logs and 'resumed epoch: 1, iter: ' in logs


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = str(made)

    def __reduce__(self):
        return open, (self.made, 'w')


@pytest.mark.parametrize('way', ['load_from', 'resume', 'init_cfg'])
def test_code_in_a_checkpoint_of_a_training_does_not_run(digits, tmp_path, way):
    path = str(tmp_path / 'hostile.pth')
    torch.save(dict(state_dict={}, meta=Hostile(tmp_path / 'made')), path)
    options = {name: digits.cfg_options[name] for name in ('epochs', 'warmup_epochs', 'image_size')}
    if way == 'load_from':
        options['load_from'] = path
    if way == 'init_cfg':
        options['model.backbone.init_cfg'] = dict(type='Pretrained', checkpoint=path)
    training = TrainingOptions(
        work_dir=str(tmp_path / 'work'), resume=path if way == 'resume' else None, cfg_options=options
    )
    with pytest.raises(ValueError, match='is refused: it .*holds Python objects beside tensors'):
        train(str(CONFIGS / 'resnet10_digits_old.py'), training)
    assert not (tmp_path / 'made').exists()


def test_a_renamed_root_of_all_trainings_is_taken_as_it_is(copied, digits):
    root, options = copied
    renamed = root.with_name('renamed')
    root.rename(renamed)
    before = final_times(renamed)
    same = TrainingOptions(cfg_options=options | dict(work_root=str(renamed)))
    TrainingRecord(renamed / 'resnet10_digits', same.load(digits.config)).check()
    train(digits.config, same)
    after = final_times(renamed)
    assert [stage for stage in STAGES if after[stage] != before[stage]] == ['resnet10_digits']
