"""Tell a model in which round through the data it is."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmfct.engine.epochs import epoch_at
from mmfct.registry import HOOKS


@HOOKS.register_module()
class DataEpochHook(Hook):
    """Write the epoch to the message hub as ``data_epoch``, also where training is iteration-based.

    To mmengine such a training is a single epoch. `mmfct.MultiTaskSegmentor` passes the number on to its weighting, of
    which `mmfct.DynamicWeightAverage` needs it. ``mmfct train`` adds this hook.
    """

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Write how often all data were seen."""
        runner.message_hub.update_info('data_epoch', epoch_at(runner, runner.iter))
