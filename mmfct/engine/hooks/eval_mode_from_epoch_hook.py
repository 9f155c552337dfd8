"""Put a submodule into evaluation mode from some epoch on."""

from __future__ import annotations

from mmengine.dist import all_reduce_params, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmfct.engine.epochs import epoch_at
from mmfct.registry import HOOKS
from mmfct.utils.wrappers import unwrapped_model


@HOOKS.register_module()
class EvalModeFromEpochHook(Hook):
    """Keep a submodule in evaluation mode from ``epoch`` on, while its weights are still trained.

    FCT trains the transformation this way in the second half (arXiv 2112.02805): BN uses its running statistics, which
    no longer change. mmengine's loops call ``train()`` on the model after ``before_train_epoch`` and after every
    validation, so the mode is set before each iteration.

    Every rank has statistics of its own batches, and only those of the first are saved, so the ranks would train
    different functions: when the mode changes, the statistics are averaged over ranks.

    Args:
        epoch: First epoch, counted from 0, in evaluation mode; a round through the data where training is
            iteration-based.
        module: Dotted name of the submodule; an empty string for the whole model.

    Raises:
        ValueError: If the model has no such submodule.
    """

    priority = 'VERY_HIGH'

    def __init__(self, epoch: int, module: str = 'head') -> None:
        self.epoch = epoch
        self.module = module

    def before_run(self, runner: Runner) -> None:
        """Check that the submodule exists before training starts."""
        self._submodule(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Set the mode; a no-op on a module that is in it."""
        if epoch_at(runner, runner.iter) >= self.epoch:
            submodule = self._submodule(runner)
            if submodule.training:
                buffers = [buffer for buffer in submodule.buffers() if buffer.is_floating_point()]
                if buffers and get_world_size() > 1:
                    all_reduce_params(buffers, op='mean')
                submodule.eval()

    def _submodule(self, runner: Runner):
        model = unwrapped_model(runner.model)
        try:
            return model.get_submodule(self.module)
        except AttributeError:
            raise ValueError(
                f'`module` must name a submodule of {type(model).__name__}, got {self.module!r}'
            ) from None
