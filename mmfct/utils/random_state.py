"""The states of the random generators of this process, as tensors and plain values that a checkpoint can hold."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def random_state() -> dict[str, Any]:
    """Return the states of the generators of Python, numpy and torch, also those of its GPUs."""
    _, keys, *rest = np.random.get_state()
    return dict(
        python=random.getstate(),
        numpy=[torch.from_numpy(np.asarray(keys, np.int64)), *rest],
        torch=torch.get_rng_state(),
        cuda=torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    )


def set_random_state(state: Mapping[str, Any]) -> None:
    """Set the generators to what `random_state` returned; tensors may have been moved to a GPU.

    Those of GPUs stay as they are where there are more or fewer of them now.
    """
    keys, *rest = state['numpy']
    random.setstate(state['python'])
    np.random.set_state(('MT19937', keys.cpu().numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state['torch'].cpu())
    if torch.cuda.is_available() and len(state['cuda']) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([device.cpu() for device in state['cuda']])
