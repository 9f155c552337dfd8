"""The table of instance parameters in a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmfct.functional.task_weighting import task_weights
from mmfct.instances.agreement import mean_contrasts
from mmfct.instances.loss_history import mean_losses
from mmfct.instances.store import CHECKPOINT_KEY


@dataclass(frozen=True)
class LearnedWeights:
    """What a training learned about each instance i and task t; arrays are float64 of shape (I, T).

    Args:
        tasks: Names of the tasks.
        score: How suspicious the label is: its mean contrast, for weights by agreement (NaN if it was never compared);
            or the deviation ``d[i, t]``, the log-variance or log-temperature beyond that of the task.
        score_name: What the score is called in tables.
        weight: Weight of the loss.
        mean_loss: Mean training loss; NaN where the instance never had an annotation, or losses were not tracked.
        fingerprint: That of the instance keys.
    """

    tasks: tuple[str, ...]
    score: np.ndarray
    score_name: str
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
            'with mmfct.AgreementWeighting, or any with mmfct.InstanceTaskWeightLoss or mmfct.DataParameterLoss'
        )
    by_agreement = 'contrast_sum' in state
    wanted = {'contrast_sum', 'contrast_count', 'weight'} if by_agreement else {'log_variance', 'deviation'}
    missing = sorted({'tasks', 'fingerprint', *wanted} - state.keys())
    if missing:
        raise ValueError(f'the {CHECKPOINT_KEY!r} of checkpoint {path!r} lacks {missing!r}')
    tasks = tuple(state['tasks'])
    tables = {name: torch.as_tensor(state[name], dtype=torch.float64) for name in wanted}
    for name, table in tables.items():
        if table.shape[-1:] != (len(tasks),) or table.dim() != (1 if name == 'log_variance' else 2):
            raise ValueError(
                f'the {CHECKPOINT_KEY!r} of checkpoint {path!r} must have a column for each of the tasks {tasks!r}, '
                f'got `{name}` of shape {tuple(table.shape)}'
            )
        wrong = table.isfinite().logical_not().nonzero()
        if len(wrong):
            raise ValueError(
                f'the {CHECKPOINT_KEY!r} of checkpoint {path!r} must be finite, got NaN or infinity for '
                f'{len(wrong)} of {table.numel()} values of `{name}`, the first for task {tasks[wrong[0, -1]]!r}'
            )
    if by_agreement:
        score, weight = mean_contrasts(tables['contrast_sum'], tables['contrast_count']), tables['weight']
    else:
        score = tables['deviation']
        form = [torch.as_tensor(state.get(name, 1.0), dtype=torch.float64) for name in ('factor', 'exponent')]
        weight = task_weights(tables['log_variance'] + score, *form)
    mean_loss = torch.full_like(score, torch.nan)
    if 'visits' in state:
        mean_loss = mean_losses(state['loss_sum'], state['visits'])
    name = 'contrast in training' if by_agreement else 'learned parameter'
    return LearnedWeights(tasks, score.numpy(), name, weight.numpy(), mean_loss.numpy(), state['fingerprint'])
