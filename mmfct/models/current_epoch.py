"""The epoch of the training, for weightings that change from epoch to epoch."""

from __future__ import annotations

import logging
from functools import cache

from mmengine.logging import MessageHub, print_log

from mmfct.models.task_weightings.task_weighting import TaskWeighting


def current_epoch(weighting: TaskWeighting) -> int | None:
    """Return the epoch of the Runner that trains; ``None`` without one.

    mmengine hands it to hooks and to its message hub, not to models. The hub needs no hook in the config, except where
    training is iteration-based: to mmengine that is one epoch, and only `mmfct.DataEpochHook` knows better.
    """
    info = MessageHub.get_current_instance().runtime_info
    epoch = info.get('epoch')
    if epoch is None:
        return None
    needs_epoch = type(weighting).set_epoch is not TaskWeighting.set_epoch
    if needs_epoch and 'data_epoch' not in info and info.get('max_epochs') == 1:
        _warn_of_a_single_epoch(type(weighting).__name__)
    return max(int(epoch), int(info.get('data_epoch', 0)))


@cache
def _warn_of_a_single_epoch(name: str) -> None:
    """Warn once."""
    text = (
        f'the weights of {name} change from epoch to epoch, and mmengine counts a single one: where training is '
        "iteration-based, add `dict(type='mmfct.DataEpochHook')` to `custom_hooks` of the config"
    )
    print_log(text, 'current', logging.WARNING)
