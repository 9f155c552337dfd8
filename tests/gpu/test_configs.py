"""The small configs on a GPU: some steps, a test, and the weights of every kind of weighting."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.train import train

from ..configs.test_configs import LARGE, LEAVES, make_prerequisites, stock_config, workplace  # noqa: F401
from ..configs.test_itp_configs import TINY, weighting_names

ITP = Path(__file__).parents[2] / 'configs/itp'
SMALL = [name for name in LEAVES if not any(data in name for data in LARGE)]
# What runs without a GPU: images through frozen encoders, a table of embeddings, and the baseline of BCT.
PRETENDED = ['resnet10_omniglot_online.py', 'resnet10_omniglot_fastfill.py', '../bct/resnet10_omniglot.py']


def on_devices(names: list[str], pretended: list[str]) -> pytest.MarkDecorator:
    """Parametrise a test with all names on a GPU, and some on the pretended one."""
    pairs = [pytest.param('pretended', name) for name in pretended]
    pairs += [pytest.param('cuda', name, marks=pytest.mark.gpu) for name in names]
    return pytest.mark.parametrize(('device', 'name'), pairs, indirect=['device'])


@on_devices(SMALL, PRETENDED)
def test_a_config_takes_two_steps_and_tests(device, name, stock_config):  # noqa: F811
    config = stock_config(name)
    make_prerequisites(config, stock_config)
    runner = Runner.from_cfg(config)
    runner._train_loop = runner.build_train_loop(config.train_cfg)
    runner.optim_wrapper = runner.build_optim_wrapper(config.optim_wrapper)
    runner._init_model_weights()
    assert {value.device for value in runner.model.parameters()} == {device}
    runner.model.train()
    batch = next(iter(runner.train_dataloader))
    for _ in range(2):
        losses = runner.model.train_step(batch, runner.optim_wrapper)
        assert math.isfinite(float(losses['loss'].detach()))
    if 'test_dataloader' in config:
        assert runner.test()['compatibility/num_queries'] > 0


@pytest.fixture(scope='module')
def cityscapes(tmp_path_factory) -> str:
    """Five training and two validation images in the pre-processed form."""
    write = runpy.run_path(str(Path(__file__).parents[1] / 'datasets/cityscapes_files.py'))['write_npy']
    return write(tmp_path_factory.mktemp('cityscapes'), num_train=5, num_val=2, size=(32, 64))


@on_devices(weighting_names(), ['itp'])
def test_every_weighting_trains_both_tasks_in_half_precision(device, name, cityscapes, tmp_path, plain_config_text):
    options = TINY | dict(weighting=name, data_root=cityscapes, epochs=1, work_dir=str(tmp_path), log_level='ERROR')
    options = {key: value for key, value in options.items() if not key.startswith(('base_', 'head_', 'pretrained'))}
    config = str(ITP / 'segnet_mtan_cityscapes.py')
    metrics = train(config, TrainingOptions(cfg_options=options, no_persistent_workers=True, amp=True))
    assert metrics and all(map(math.isfinite, metrics.values()))
    state = torch.load(tmp_path / 'final.pth', map_location='cpu', weights_only=True)['state_dict']
    assert all(bool(value.isfinite().all()) for value in state.values())
