"""What holds for every test: fixed seeds, few threads, no state left in mmengine's singletons."""

from __future__ import annotations

import os
import random
import sys

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
