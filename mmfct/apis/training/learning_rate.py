"""Scale the learning rate of a recipe to another batch size."""

from __future__ import annotations

import copy
import math
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.logging import print_log

from mmfct.utils.dataset_configs import type_name

# Their steps are normalised by the size of the gradient, whose noise falls with the root of the batch size
# (arXiv 2205.10287). Dividing their rate by the ratio itself would hardly train.
_ADAPTIVE = (
    'Adam',
    'AdamW',
    'Adamax',
    'NAdam',
    'RAdam',
    'SparseAdam',
    'Adagrad',
    'Adadelta',
    'RMSprop',
    'LAMB',
    'Lamb',
)
_RULES = ('linear', 'sqrt', 'none')


def scale_learning_rate(config: Config) -> Config:
    """Return a config whose learning rate fits its batch size, as ``auto_scale_lr`` asks.

    ``auto_scale_lr = dict(base_batch_size=..., rule=..., enable=True)``: ``base_batch_size`` is the batch size that
    the learning rate is meant for, over all processes and accumulated steps. ``rule`` is ``'linear'``, ``'sqrt'`` or
    ``'none'``; by default linear for SGD and LARS and the square root for adaptive optimisers such as Adam. (mmengine
    scales all of them linearly.)

    Args:
        config: Config of a training; not changed.

    Raises:
        ValueError: If ``rule`` is unknown, or an optimiser has no ``lr``.
    """
    settings = config.get('auto_scale_lr') or {}
    if not settings.get('enable', False):
        return config
    if settings.get('rule', _RULES[0]) not in _RULES:
        raise ValueError(f"`auto_scale_lr['rule']` must be one of {_RULES}, got {settings['rule']!r}")
    config = copy.deepcopy(config)
    config.auto_scale_lr.enable = False  # mmengine need not scale it again
    wrapper = config.optim_wrapper
    for part in [wrapper] if 'optimizer' in wrapper else [part for part in wrapper.values() if isinstance(part, dict)]:
        _scale(part, settings, config.train_dataloader.batch_size * get_world_size())
    return config


def _scale(wrapper: dict, settings: dict[str, Any], batch: int) -> None:
    """Scale the rate of one optimiser wrapper in place."""
    optimizer, base = wrapper['optimizer'], settings['base_batch_size']
    if not isinstance(optimizer.get('lr'), (int, float)):
        raise ValueError(
            f'`--auto-scale-lr` needs `lr` in the config of the optimiser {type_name(optimizer)}, '
            f'got {optimizer.get("lr")!r}'
        )
    batch *= wrapper.get('accumulative_counts', 1)
    rule = settings.get('rule', 'sqrt' if type_name(optimizer) in _ADAPTIVE else 'linear')
    factor = dict(linear=batch / base, sqrt=math.sqrt(batch / base), none=1.0)[rule]
    optimizer['lr'] *= factor
    print_log(
        f'{type_name(optimizer)}: batch size {batch} instead of {base}, learning rate times {factor:.4g} (rule '
        f'{rule!r}): {optimizer["lr"]:.4g}',
        'current',
    )
