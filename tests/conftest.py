"""What holds for every test: fixed seeds, few threads, no state left in mmengine's singletons."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault('OMP_NUM_THREADS', '2')
os.environ.setdefault('MPLBACKEND', 'Agg')

import numpy as np
import pytest
import torch

# Where mmengine keeps objects that outlive the Runner that made them.
SINGLETONS = {
    'mmengine.logging': ('MMLogger', 'MessageHub'),
    'mmengine.registry': ('DefaultScope',),
    'mmengine.visualization': ('Visualizer',),
}

torch.set_num_threads(min(2, torch.get_num_threads()))


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Start every test from the same random state, so that their order does not matter."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def clean_mmengine():
    """Forget the loggers, message hubs, scopes and visualizers that a test made."""
    yield
    for module, names in SINGLETONS.items():
        if module not in sys.modules:
            continue
        for name in names:
            instances = getattr(sys.modules[module], name)._instance_dict
            if name == 'MMLogger':
                close_files(instances.values())
            instances.clear()


def close_files(loggers) -> None:
    """Close the log files, which are in temporary folders about to be removed."""
    for logger in loggers:
        for handler in list(logger.handlers):
            handler.close()
            logger.removeHandler(handler)


@pytest.fixture(scope='session')
def plain_config_text():
    """Spare mmengine's formatting of config text, which takes longer than a tiny training."""
    patch = pytest.MonkeyPatch()
    patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **_: (text, True))
    yield
    patch.undo()


@pytest.fixture(scope='session')
def digits(tmp_path_factory, plain_config_text) -> SimpleNamespace:
    """FCT's whole life cycle on the digits, made tiny: for tests that read what it leaves and change nothing.

    ``config`` is the file, ``root`` the folder of all trainings, ``cfg_options`` the options and ``metrics`` what
    `train` returned.
    """
    from mmfct.apis.train import train
    from mmfct.apis.training_options import TrainingOptions

    config = str(Path(__file__).parents[1] / 'configs/fct/resnet10_digits.py')
    root = tmp_path_factory.mktemp('digits')
    cfg_options = dict(
        epochs=2, side_epochs=2, transform_epochs=2, warmup_epochs=1, num_views=1, image_size=8, work_root=str(root)
    )
    metrics = train(config, TrainingOptions(cfg_options=cfg_options))
    return SimpleNamespace(config=config, root=root, cfg_options=cfg_options, metrics=metrics)
