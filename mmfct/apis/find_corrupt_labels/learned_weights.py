"""The table of instance parameters in a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmfct.functional.task_weighting import task_weights
from mmfct.instances.loss_history import mean_losses
from mmfct.instances.store import CHECKPOINT_KEY


@dataclass(frozen=True)
class LearnedWeights:
    """What a training learned about each instance i and task t; arrays are float64 of shape (I, T).

    Args:
        tasks: Names of the tasks.
        score: Deviations ``d[i, t]``, the log-variance or log-temperature beyond that of the task: how suspicious
            the label is.
        weight: Weight of the loss, ``k exp(-a (s_task[t] + sharpness d[i, t]))`` with k and a of the form of the loss.
        mean_loss: Mean training loss; NaN where the instance never had an annotation, or losses were not tracked.
        fingerprint: That of the instance keys.
    """

    tasks: tuple[str, ...]
    score: np.ndarray
    weight: np.ndarray
    mean_loss: np.ndarray
    fingerprint: str


def read_learned_weights(checkpoint: dict[str, Any], path: str) -> LearnedWeights:
    """Read the table out of a loaded checkpoint.

    Args:
        checkpoint: The checkpoint.
        path: Its file, for messages.

    Raises:
        ValueError: If there is no table, it is not complete, or a parameter is not finite.
    """
    state = checkpoint.get(CHECKPOINT_KEY)
    if state is None:
        raise ValueError(
            f'checkpoint {path!r} has no {CHECKPOINT_KEY!r}; one is written by a training with '
            'mmfct.InstanceTaskWeightHook and a model that learns weights per instance: mmfct.MultiTaskSegmentor '
            'with mmfct.InstanceTaskWeighting, or any with mmfct.InstanceTaskWeightLoss or mmfct.DataParameterLoss'
        )
    missing = sorted({'tasks', 'log_variance', 'deviation', 'fingerprint'} - state.keys())
    if missing:
        raise ValueError(f'the {CHECKPOINT_KEY!r} of checkpoint {path!r} lacks {missing!r}')
    tasks, score = tuple(state['tasks']), torch.as_tensor(state['deviation'], dtype=torch.float64)
    shared = torch.as_tensor(state['log_variance'], dtype=torch.float64)
    if score.ndim != 2 or score.shape[1:] != (len(tasks),) or shared.shape != (len(tasks),):
        raise ValueError(
            f'the {CHECKPOINT_KEY!r} of checkpoint {path!r} must have a column for each of the tasks {tasks!r}, '
            f'got deviations of shape {tuple(score.shape)} and log-variances of shape {tuple(shared.shape)}'
        )
    wrong = (score + shared).isfinite().logical_not().nonzero()
    if len(wrong):
        raise ValueError(
            f'the {CHECKPOINT_KEY!r} of checkpoint {path!r} must be finite, got NaN or infinity for '
            f'{len(wrong)} of {score.numel()} parameters, the first for task {tasks[wrong[0, 1]]!r}'
        )
    names = ('factor', 'exponent', 'sharpness')
    factor, exponent, sharpness = (torch.as_tensor(state.get(name, 1.0), dtype=torch.float64) for name in names)
    weight = task_weights(shared + sharpness * score, factor, exponent)
    mean_loss = torch.full_like(score, torch.nan)
    if 'visits' in state:
        mean_loss = mean_losses(state['loss_sum'], state['visits'])
    return LearnedWeights(tasks, score.numpy(), weight.numpy(), mean_loss.numpy(), state['fingerprint'])
