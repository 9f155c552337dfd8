"""The SURREAL configs of ITP: ordinary configs of mmengine, from the clips to the list of suspects."""

from __future__ import annotations

import csv
import json
import math
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner

from mmfct.apis.find_corrupt_labels import find_corrupt_labels
from mmfct.apis.training.config import load_config
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.train import train
from mmfct.instances.comparison import Comparison

ITP = Path(__file__).parents[2] / 'configs/itp'
CONFIGS = ('resnet10_surreal_clips', 'resnet50_surreal')
METRICS = {
    'pose/mpjpe',
    'pose/pa_mpjpe',
    'depth/abs_error',
    'depth/rmse',
    'parts/iou',
    'parts/pixel_accuracy',
    'parts/part_accuracy',
}
TINY = dict(image_size=(32, 32), batch_size=4, epochs=2)


@pytest.fixture
def run(surreal_root, tmp_path, plain_config_text):
    """Function that trains the miniature of a config; returns its metrics and the logged numbers by step."""

    def start(name: str, **options) -> tuple[dict, list[dict]]:
        options = dict(TINY, data_root=surreal_root, log_level='ERROR', work_dir=str(tmp_path / 'work')) | options
        options['default_hooks.logger.interval'] = 1
        # mmengine names visualizers by experiment and second; two tests of one second would share a log.
        options['experiment_name'] = tmp_path.name
        metrics = train(str(ITP / f'{name}.py'), TrainingOptions(cfg_options=options, no_persistent_workers=True))
        (log,) = tmp_path.glob('work/*/vis_data/scalars.json')
        return metrics, [json.loads(line) for line in log.read_text().splitlines()]

    return start


def weighting_names() -> list[str]:
    return list(Config.fromfile(ITP.parent / '_base_/task_weightings.py').weightings)


def test_from_permuted_poses_to_suspects(run, surreal_root, tmp_path):
    files = {gender: f'{surreal_root}/smpl/SMPL_{gender.upper()}.npz' for gender in ('female', 'male')}
    options, expected = dict(corrupted_pose=0.5), METRICS
    if find_spec('smplx'):
        options |= {f'body_{gender}': file for gender, file in files.items()}
        expected = METRICS | {'pose/surface_error'}
    metrics, log = run('resnet10_surreal_clips', **options)
    assert metrics.keys() == expected and all(map(math.isfinite, metrics.values()))
    steps = [entry for entry in log if 'loss' in entry]
    assert len(steps) == 6  # two epochs of three batches
    assert all(math.isfinite(step[f'{task}_error']) for step in steps for task in ('pose', 'depth', 'parts'))
    table = torch.load(tmp_path / 'work/final.pth', weights_only=False)['instance_task_weights']
    assert table['tasks'] == ['pose', 'depth', 'parts'] and table['contrast_sum'].shape == (12, 3)
    assert table['contrast_sum'].ne(0).all() and table['instance_weight'].mean(0).tolist() == pytest.approx([1] * 3)
    options = dict(TINY, data_root=surreal_root, **options)
    checkpoint = str(tmp_path / 'work/final.pth')
    detection = find_corrupt_labels(
        str(ITP / 'resnet10_surreal_clips.py'), checkpoint, cfg_options=options, device='cpu', top=2
    )
    assert detection['pose']['corrupted'] == 6 and 'rankings' not in detection['depth']
    folder = tmp_path / 'work/suspects'
    assert {f'suspects_{task}.png' for task in ('pose', 'depth', 'parts')} <= {path.name for path in folder.iterdir()}
    with (folder / 'suspects_pose.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 and rows[0]['file'].startswith('01_01_c000') and '.mp4#' in rows[0]['file']


@pytest.mark.parametrize('weighting', ['uncertainty', 'fixed'])
def test_resnet50_trains(run, weighting):
    options = dict(pretrained=None, base_channels=4, head_channels=8, num_workers=0, frame_step=1)
    metrics, log = run('resnet50_surreal', weighting=weighting, epochs=1, **options)
    assert metrics.keys() == METRICS and all(map(math.isfinite, metrics.values()))
    assert sum('loss' in entry for entry in log) == 3


@pytest.mark.parametrize(('task', 'count'), [('pose', 2), ('depth', 2), ('parts', 3)])
def test_single_tasks(run, task, count):
    metrics, _ = run('resnet10_surreal_clips', tasks=(task,), weighting='equal', epochs=1)
    assert metrics.keys() == {name for name in METRICS if name.startswith(task)} and len(metrics) == count


def test_an_oracle_trains_on_clean_frames_only(surreal_root):
    options = dict(data_root=surreal_root, corrupted_pose=0.25, corrupted_parts=0.25, only_clean=True)
    config = load_config(ITP / 'resnet10_surreal_clips.py', options)
    init_default_scope('mmseg')
    dataset = Runner.build_dataloader(config.train_dataloader).dataset
    assert 6 <= len(dataset) <= 9 and len(dataset.dataset) == 12


@pytest.mark.parametrize('name', CONFIGS)
def test_a_stock_runner_takes_the_config(name, surreal_root, tmp_path, plain_config_text):
    config = Config.fromfile(ITP / f'{name}.py')
    config.work_dir, config.log_level = str(tmp_path), 'ERROR'
    config.model.backbone.pop('init_cfg', None)
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if config[key] is not None:
            config[key].update(num_workers=0, persistent_workers=False, batch_size=2)
            inner = config[key].dataset.get('dataset', config[key].dataset)
            inner.data_root = surreal_root
    runner = Runner.from_cfg(config)
    assert runner.model.task_names == ('pose', 'depth', 'parts')
    optimizer = runner.build_optim_wrapper(config.optim_wrapper).optimizer
    learned = runner.model.weighting.log_variance
    rates = [group['lr'] for group in optimizer.param_groups if group['params'][0] is learned]
    assert rates == ([pytest.approx(config.log_variance_lr)] if config.weighting == 'itp' else [])
    sample = next(iter(runner.test_dataloader))['data_samples'][0]
    size = (64, 64) if name == 'resnet10_surreal_clips' else (256, 256)
    assert sample.gt_depth_map.data.shape == (1, *size) and sample.gt_pose.joints.shape == (24, 3)


def test_splits_of_the_published_data():
    config = Config.fromfile(ITP / 'resnet50_surreal.py')
    frames = [config[f'{part}_dataloader'].dataset for part in ('val', 'test')]
    assert [(part.split, part.frames, part.test_mode) for part in frames] == [
        ('val', 'middle', True),
        ('test', 'middle', True),
    ]
    inner = config.train_dataloader.dataset.dataset
    assert (inner.type, inner.split, inner.frame_step) == ('mmfct.Surreal', 'train', 10)
    assert inner.pipeline[0] == dict(type='mmfct.LoadSurreal', size=(256, 256), cache=False)


def comparison() -> Comparison:
    """Two predictions and labels of some task."""
    return Comparison.of(lambda a, b: ((a - b).abs(), a.isfinite()), torch.rand(2), torch.rand(2))


@pytest.mark.parametrize('name', CONFIGS)
def test_one_variable_switches_weighting_and_hooks(name):
    forms = dict(pose='gaussian', depth='laplace', parts='classification')
    for weighting in weighting_names():
        config = load_config(ITP / f'{name}.py', dict(weighting=weighting, instance_lr=0.3, seed=4))
        module = MODELS.build(dict(config.model.weighting, forms=forms))
        losses = torch.rand(2, 3, requires_grad=True)
        if weighting.startswith('itp'):
            module.set_instances(torch.ones(2, 3), ['a', 'b'])
        if weighting != 'dwa':  # which asks the Runner for the epoch
            needed = [[comparison() for _ in range(3)]] if module.needs_comparisons else []
            objective, weights = module(losses, torch.ones(2, 3, dtype=torch.bool), *needed)
            assert objective.isfinite() and weights.shape == (3,)
        rates = dict(itp=[None], itp_instance=[None], itp_gradient=[0.3])  # agreement has none
        assert [hook.get('lr') for hook in config.custom_hooks] == rates.get(weighting, [])
        assert config.randomness.seed == config.training_frames.seed == 4
