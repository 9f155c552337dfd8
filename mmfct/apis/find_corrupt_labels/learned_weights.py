"""What a training with instance parameters leaves in its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmfct.engine.hooks.instance_task_weight_hook import CHECKPOINT_KEY


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
    tasks, score = tuple(state['tasks']), np.asarray(state['deviation'], dtype=np.float64)
    shared = np.asarray(state['log_variance'], dtype=np.float64)
    if score.ndim != 2 or score.shape[1:] != (len(tasks),) or shared.shape != (len(tasks),):
        raise ValueError(
            f'the {CHECKPOINT_KEY!r} of checkpoint {path!r} must have a column for each of the tasks {tasks!r}, '
            f'got deviations of shape {score.shape!r} and log-variances of shape {shared.shape!r}'
        )
    wrong = np.argwhere(~np.isfinite(score + shared))
    if len(wrong):
        raise ValueError(
            f'the {CHECKPOINT_KEY!r} of checkpoint {path!r} must be finite, got NaN or infinity for '
            f'{len(wrong)} of {score.size} parameters, the first for task {tasks[wrong[0, 1]]!r}'
        )
    names = ('factor', 'exponent', 'sharpness')
    factor, exponent, sharpness = (np.asarray(state.get(name, 1.0), dtype=np.float64) for name in names)
    mean_loss = np.full(score.shape, np.nan)
    if 'visits' in state:
        visits = np.asarray(state['visits'])
        np.divide(np.asarray(state['loss_sum'], dtype=np.float64), visits, out=mean_loss, where=visits > 0)
    weight = factor * np.exp(-exponent * (shared + sharpness * score))
    return LearnedWeights(tasks, score, weight, mean_loss, state['fingerprint'])
