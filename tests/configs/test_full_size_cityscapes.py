"""CityScapes as it is distributed: the recipes of mmseg with two tasks, on miniatures of its folders and images."""

from __future__ import annotations

import json
import math
import runpy
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import mmseg
import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner

from mmfct.apis.find_corrupt_labels import find_corrupt_labels
from mmfct.apis.training.config import load_config
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.test import test as run_test
from mmfct.apis.training.train import train

ROOT = Path(__file__).parents[2]
ITP = ROOT / 'configs/itp'
HOST = Path(mmseg.__path__[0], '.mim/configs')
DEEPLAB, SEGFORMER = 'deeplabv3plus_r50_cityscapes_512x1024', 'segformer_b0_cityscapes_1024x1024'
HOST_CONFIGS = {
    DEEPLAB: HOST / 'deeplabv3plus/deeplabv3plus_r50-d8_4xb2-40k_cityscapes-512x1024.py',
    SEGFORMER: HOST / 'segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py',
}
METRICS = {'aAcc', 'mIoU', 'mAcc', 'depth/abs_error', 'depth/rel_error'}
# Two rounds through four images. Widths are tiny, and images and crops have a quarter of their sides.
SHORT = dict(pretrained=None, num_workers=0, batch_size=2, head_channels=8, iterations=4, val_interval=10)
SMALL = dict(image_size=(256, 512), crop_size=(128, 256))
TINY = {
    DEEPLAB: SHORT | SMALL | dict(base_channels=2),
    SEGFORMER: SHORT | SMALL | dict(base_channels=8, warmup_iterations=1),
}
HOOKS = {'default_hooks.logger.interval': 1, 'default_hooks.checkpoint.interval': 2}


@pytest.fixture(scope='module')
def write_cityscapes():
    """Function that writes training and validation images of a size, and returns their folder."""
    return runpy.run_path(str(ROOT / 'tests/datasets/cityscapes_files.py'))['write_cityscapes']


@pytest.fixture(scope='module')
def data_root(write_cityscapes, tmp_path_factory) -> str:
    """Four small training images and one for the validation."""
    return write_cityscapes(tmp_path_factory.mktemp('cityscapes'), num_train=4, num_val=1, size=SMALL['image_size'])


@pytest.fixture(scope='module', params=[DEEPLAB, pytest.param(SEGFORMER, marks=pytest.mark.slow)])
def trained(request, data_root, tmp_path_factory, plain_config_text) -> SimpleNamespace:
    """A short training of each config: ``config``, ``options``, ``folder`` and ``metrics``."""
    folder = tmp_path_factory.mktemp(request.param)
    options = TINY[request.param] | HOOKS | dict(data_root=data_root, log_level='ERROR')
    config = str(ITP / f'{request.param}.py')
    metrics = train(config, TrainingOptions(work_dir=str(folder), cfg_options=options, no_persistent_workers=True))
    return SimpleNamespace(name=request.param, config=config, options=options, folder=folder, metrics=metrics)


def steps(folder: Path) -> list[dict]:
    """What was logged about the iterations of all runs in a folder."""
    logs = [path.read_text().splitlines() for path in sorted(folder.glob('*/vis_data/scalars.json'))]
    return [entry for lines in logs for entry in map(json.loads, lines) if 'loss' in entry]


def weights_in(checkpoint: Path) -> dict:
    return torch.load(checkpoint, weights_only=False)['instance_task_weights']


def test_a_training_refits_weights_after_each_round_and_measures_both_tasks(trained):
    assert trained.metrics.keys() == METRICS and all(map(math.isfinite, trained.metrics.values()))
    log = steps(trained.folder)
    assert [entry['step'] for entry in log] == [1, 2, 3, 4]
    assert all(math.isfinite(entry[key]) for entry in log for key in ('loss', 'seg_error', 'depth_error'))
    halfway, end = (weights_in(trained.folder / f'iter_{step}.pth') for step in (2, 4))
    assert torch.allclose(halfway['contrast_count'], torch.full((4, 2), 0.2))  # each image was seen once
    assert torch.allclose(end['contrast_count'], torch.full((4, 2), 0.36))
    assert halfway['share'].isfinite().all()  # refitted without the end of an epoch
    assert (trained.folder / 'final.pth').is_file()


def test_a_training_resumes_in_the_middle(trained, tmp_path):
    folder = tmp_path / 'work'
    shutil.copytree(trained.folder, folder)
    for file in ('iter_4.pth', 'final.pth'):
        (folder / file).unlink()
    (folder / 'last_checkpoint').write_text(str(folder / 'iter_2.pth'))
    train(trained.config, TrainingOptions(work_dir=str(folder), resume='auto', cfg_options=trained.options))
    first, resumed = steps(trained.folder), steps(folder)[4:]
    assert [entry['step'] for entry in resumed] == [3, 4]
    assert [entry['lr'] for entry in resumed] == [entry['lr'] for entry in first[2:]]
    counts = [weights_in(path / 'iter_4.pth')['contrast_count'] for path in (trained.folder, folder)]
    torch.testing.assert_close(*counts)


def test_views_of_several_sizes_are_averaged(trained, tmp_path):
    options = trained.options | dict(tta_scales=(0.5,))
    run = TrainingOptions(work_dir=str(tmp_path), cfg_options=options)
    metrics = run_test(trained.config, str(trained.folder / 'final.pth'), run, tta=True)
    assert metrics.keys() == METRICS and all(map(math.isfinite, metrics.values()))
    assert metrics['depth/abs_error'] != trained.metrics['depth/abs_error']


def test_labels_are_ranked(trained, tmp_path):
    options = trained.options
    found = find_corrupt_labels(
        trained.config, str(trained.folder / 'final.pth'), tmp_path, cfg_options=options, top=1, device='cpu'
    )
    assert found.keys() == {'seg', 'depth'}
    for task in found:
        assert len((tmp_path / f'suspects_{task}.csv').read_text().splitlines()) == 5
        assert (tmp_path / f'suspects_{task}.png').stat().st_size > 0


@pytest.mark.slow
def test_two_ranks_share_the_images(data_root, tmp_path, plain_config_environment):
    options = TINY[DEEPLAB] | HOOKS | dict(data_root=data_root, work_dir=tmp_path / 'work', iterations=2)
    words = [f'{key}={str(value).replace(" ", "")}' for key, value in options.items()]
    command = ['bash', 'tools/dist_train.sh', str(ITP / f'{DEEPLAB}.py'), '2', '--cfg-options', *words]
    done = subprocess.run(command, cwd=ROOT, env=plain_config_environment, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    end = weights_in(tmp_path / 'work/iter_2.pth')
    assert torch.allclose(end['contrast_count'], torch.full((4, 2), 0.36))  # both ranks' images, twice each
    assert len(steps(tmp_path / 'work')) == 2


@pytest.mark.parametrize('name', HOST_CONFIGS)
def test_crops_of_images_of_the_full_size(name, write_cityscapes, tmp_path):
    data_root = write_cityscapes(tmp_path, num_train=1, num_val=0, size=(1024, 2048))
    config = load_config(ITP / f'{name}.py', dict(data_root=data_root, num_workers=0))
    (sample,) = first_batch(config)['data_samples']
    size = (512, 1024) if name == DEEPLAB else (1024, 1024)
    assert config.crop_size == sample.gt_sem_seg.shape == sample.gt_depth_map.shape == size


@pytest.mark.slow
@pytest.mark.parametrize('name', HOST_CONFIGS)
def test_a_step_of_the_whole_network(name, data_root, plain_config_text):
    options = SMALL | dict(pretrained=None, data_root=data_root, num_workers=0)
    config = load_config(ITP / f'{name}.py', options)
    batch = first_batch(config)
    model = revert_sync_batchnorm(MODELS.build(config.model)).train()
    assert sum(value.numel() for value in model.parameters()) > (4e7 if name == DEEPLAB else 3e6)
    data = model.data_preprocessor(batch, True)
    assert data['inputs'].shape == (config.batch_size, 3, *config.crop_size)
    names = [sample.img_path for sample in data['data_samples']]
    model.weighting.set_instances(torch.ones(len(names), 2), names)
    model(**data, mode='loss')['loss'].backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in model.parameters())


def first_batch(config: Config) -> dict:
    """The first images of the training."""
    init_default_scope('mmseg')
    config.train_dataloader.sampler = dict(type='DefaultSampler', shuffle=False)
    return next(iter(Runner.build_dataloader(config.train_dataloader)))


@pytest.mark.parametrize('name', HOST_CONFIGS)
def test_the_recipe_is_that_of_the_host(name):
    ours, host = Config.fromfile(ITP / f'{name}.py'), Config.fromfile(HOST_CONFIGS[name])
    assert (ours.train_cfg.max_iters, ours.param_scheduler) == (host.train_cfg.max_iters, host.param_scheduler)
    assert ours.optim_wrapper.optimizer == host.optim_wrapper.optimizer
    rules = dict(ours.optim_wrapper.paramwise_cfg.custom_keys)
    assert rules.pop('weighting').decay_mult == 0
    assert rules == host.optim_wrapper.get('paramwise_cfg', {}).get('custom_keys', {})
    assert ours.model.data_preprocessor == host.model.data_preprocessor
    assert ours.auto_scale_lr.base_batch_size == (4 if name == DEEPLAB else 8) * host.train_dataloader.batch_size
    assert ours.train_dataloader.batch_size == host.train_dataloader.batch_size

    def augmentation(config):
        steps = config.train_dataloader.dataset.pipeline
        return [dict(step) for step in steps if not step.type.startswith(('mmfct.', 'Load', 'Pack'))]

    resize, crop, flip, distortion = augmentation(ours)
    assert flip.pop('direction') == 'horizontal'  # the default of the host
    assert [resize, crop, flip, distortion] == augmentation(host)
    kinds = [step.type for step in ours.train_dataloader.dataset.pipeline]
    assert kinds.index('mmfct.ZoomDepth') == kinds.index('RandomResize') + 1

    def without_classes(head):
        return {key: value for key, value in head.items() if key not in ('loss_decode', 'num_classes')}

    for task, classes in dict(seg=19, depth=1).items():
        head = ours.model.tasks[task].head
        assert head.num_classes == classes
        assert without_classes(lists(head)) == without_classes(lists(host.model.decode_head))
    if name == DEEPLAB:
        auxiliary = ours.model.tasks.seg.auxiliary_head
        assert without_classes(auxiliary) == without_classes(host.model.auxiliary_head)
        assert auxiliary.num_classes == 19
        assert auxiliary.loss_decode.loss_weight == host.model.auxiliary_head.loss_decode.loss_weight == 0.4
        assert ours.model.backbone.init_cfg == dict(type='Pretrained', checkpoint=host.model.pretrained)
    else:
        assert ours.pretrained.rpartition('/')[2] == host.model.backbone.init_cfg.checkpoint.rpartition('/')[2]
        assert ours.model.test_cfg == host.model.test_cfg
    sizes = [backbone_size(config) for config in (ours, host)]
    assert sizes[0] == sizes[1]


def lists(config: dict) -> dict:
    """A config whose tuples are lists."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in config.items()}


def backbone_size(config: Config) -> int:
    """Number of parameters of the backbone of a config."""
    init_default_scope('mmseg')
    backbone = MODELS.build(dict(config.model.backbone, init_cfg=None))
    return sum(value.numel() for value in backbone.parameters())


@pytest.mark.parametrize('name', HOST_CONFIGS)
def test_inference_and_tasks_are_options(name):
    config = load_config(ITP / f'{name}.py', dict(inference='slide', crop_size=(256, 512), tasks=['depth']))
    assert config.model.test_cfg == dict(mode='slide', crop_size=(256, 512), stride=(192, 384))
    assert list(config.model.tasks) == ['depth']
    assert [evaluator.type for evaluator in config.test_evaluator] == ['mmfct.DepthErrorMetric']
    whole = load_config(ITP / f'{name}.py', dict(inference='whole', weighting='equal'))
    assert whole.model.test_cfg == dict(mode='whole') and whole.custom_hooks == []
    assert whole.model.data_preprocessor.size == whole.crop_size
    with pytest.raises(ValueError, match='cannot be evaluated with inference=slides'):
        load_config(ITP / f'{name}.py', dict(inference='slides'))


@pytest.mark.parametrize('name', HOST_CONFIGS)
def test_a_backbone_starts_from_pretrained_weights(name, tmp_path):
    options = {key: value for key, value in TINY[name].items() if key in ('base_channels', 'head_channels')}
    plain = load_config(ITP / f'{name}.py', options | dict(pretrained=None))
    init_default_scope('mmseg')
    weights = MODELS.build(plain.model.backbone).state_dict()
    torch.save(dict(state_dict=weights), tmp_path / 'backbone.pth')
    config = load_config(ITP / f'{name}.py', options | dict(pretrained=str(tmp_path / 'backbone.pth')))
    model = MODELS.build(config.model)
    model.init_weights()
    torch.testing.assert_close(model.backbone.state_dict(), weights)
