"""Step the schedulers of a training through its whole length."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

from mmfct.engine.epochs import is_iterative

_ENDLESS = 10**9  # mmengine's `end` where none is given


def step_schedulers(runner: Runner, entries: Any) -> list[str]:
    """Step new schedulers from the first iteration to the last, on an optimiser of one parameter.

    Args:
        runner: A runner that has begun to train. Its optimiser and schedulers are replaced: it cannot go on.
        entries: ``param_scheduler`` of its config.

    Returns:
        Warnings: of schedulers that the end of the training cuts short.

    Raises:
        ValueError: If a scheduler begins after the end of the training or cannot take all steps, or if a learning
            rate becomes negative, NaN or infinite, or is never above 0.
    """
    if not entries:
        return []
    real = runner.optim_wrapper
    runner.optim_wrapper = (
        OptimWrapperDict(**{name: _one_parameter(part) for name, part in real.items()})
        if isinstance(real, OptimWrapperDict)
        else _one_parameter(real)
    )
    built = runner.build_param_scheduler(entries)
    lines = [line for line in (built.values() if isinstance(built, dict) else [built]) if line]
    wrappers = list(runner.optim_wrapper.values()) if isinstance(real, OptimWrapperDict) else [runner.optim_wrapper]
    groups = [wrapper.optimizer.param_groups[0] for wrapper in wrappers]
    for wrapper in wrappers:
        wrapper.step()  # mmengine warns of schedulers that step before their optimiser
    warnings = [text for line in lines for index, entry in enumerate(line) if (text := _end(entry, index, runner))]
    # Schedulers that wait for a metric are stepped after validations, with values that nobody knows yet.
    schedulers = [entry for line in lines for entry in line if not getattr(entry, 'need_val_args', False)]
    epoch = runner.max_iters if is_iterative(runner) else len(runner.train_dataloader)
    highest = max(group['lr'] for group in groups)
    for iteration in range(1, runner.max_iters + 1):
        for scheduler in schedulers:
            if not scheduler.by_epoch or iteration % epoch == 0:
                _step(scheduler, iteration)
        for group in groups:
            rate = float(group['lr'])
            highest = max(highest, rate)
            if not (rate >= 0 and math.isfinite(rate)):
                raise ValueError(
                    f'the learning rate must be finite and not negative, got {rate!r} after iteration {iteration:,} '
                    f'of {runner.max_iters:,}: check `param_scheduler`'
                )
    if highest <= 0:
        raise ValueError('the learning rate must be above 0 at some time, got 0 in every iteration')
    return warnings


def _one_parameter(wrapper: OptimWrapper) -> OptimWrapper:
    """Return a plain optimiser of one parameter with the rates of the first group of another one."""
    group = {name: value for name, value in wrapper.optimizer.param_groups[0].items() if name != 'params'}
    # The schedulers that the runner has built for its own steps have changed the rate and noted the initial one.
    changed = {name for name in group if name.startswith('initial_')}
    group.update({name.removeprefix('initial_'): group[name] for name in changed})
    kept = {name: value for name, value in group.items() if name not in changed}
    return OptimWrapper(torch.optim.SGD([dict(kept, params=[torch.nn.Parameter(torch.zeros(1))])], lr=kept['lr']))


def _step(scheduler: Any, iteration: int) -> None:
    try:
        scheduler.step()
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise ValueError(
            f'`param_scheduler` ({type(scheduler).__name__}) fails after iteration {iteration:,}: {error}; change its '
            'length or that of the training'
        ) from error


def _end(scheduler: Any, index: int, runner: Runner) -> str | None:
    """Compare the range of a scheduler with the training; return a warning if it is cut short."""
    if getattr(scheduler, 'need_val_args', False):
        return None
    length, unit = (runner.max_epochs, 'epochs') if scheduler.by_epoch else (runner.max_iters, 'iterations')
    what = f'`param_scheduler.{index}` ({type(scheduler).__name__})'
    if scheduler.begin >= length:
        raise ValueError(
            f'{what} must begin before the training of {length:,} {unit} ends, got begin={scheduler.begin:,}; change '
            '`begin`, or the length of the training'
        )
    if length < scheduler.end < _ENDLESS:
        return f'{what} goes on until {scheduler.end:,}, but the training has {length:,} {unit}: it is cut short'
    return None
