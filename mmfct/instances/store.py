"""The contract of what keeps the rows of all training instances."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmfct.instances.exchange import InstanceExchange
from mmfct.instances.keys import InstanceKeys
from mmfct.instances.module import InstanceModule

# Where a checkpoint has the state of a store.
CHECKPOINT_KEY = 'instance_task_weights'


class InstanceStore(ABC):
    """A row per training instance, for the modules of a model that use it; a hook drives it.

    Args:
        modules: The modules.
        keys: Keys of the training instances; row i belongs to the i-th.
        track_losses: Whether to keep the mean loss of every instance too.
        device: Where the rows live.

    Attributes:
        tasks: Names of the T columns.

    Raises:
        ValueError: If two modules have a task of one name.
    """

    def __init__(
        self,
        modules: Sequence[InstanceModule],
        keys: InstanceKeys,
        *,
        track_losses: bool,
        device: torch.device | str,
    ) -> None:
        self._exchange = InstanceExchange(modules, keys, device=device, track_losses=track_losses)
        self._modules = modules
        self.tasks = self._exchange.tasks

    @property
    @abstractmethod
    def rows(self) -> Tensor:
        """The rows of all instances, (I, T)."""

    def set_batch(self, samples: Sequence[Any], names: Sequence[Any]) -> None:
        """Give the modules the rows of a batch: before the forward pass.

        Args:
            samples: Data samples of the batch.
            names: Keys of their instances.
        """
        self._exchange.set_batch(samples, names, self.rows)

    def collect(self) -> None:
        """Take the reports of the batch from the modules: after the backward pass."""
        self._exchange.collect()

    @abstractmethod
    def step(self) -> None:
        """Learn from everything collected since the last step, on all ranks."""

    def end_epoch(self) -> None:  # noqa: B027 - some learn in every step
        """Learn from a whole epoch; a round through the data where training is iteration-based."""

    def weights(self) -> Tensor:
        """Return the weights (I, T) of the losses of all instances: those of instances times those of tasks."""
        pairs = zip(self._modules, self._exchange.columns, strict=True)
        return torch.cat([module.weights(self.rows[:, columns]) for module, columns in pairs], dim=1)

    @abstractmethod
    def learned_state(self) -> dict[str, Any]:
        """Return what has been learned, for a checkpoint; tensors are (T,) or (I, T)."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, on the CPU."""
        state = self.learned_state() | self._exchange.state_dict()
        return {name: value.cpu() if isinstance(value, Tensor) else value for name, value in state.items()}

    @abstractmethod
    def load_learned_state(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`learned_state` returned; raise `ValueError` if another kind of store did."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned.

        Raises:
            ValueError: If it belongs to another training set, to other tasks or to another kind of weights.
        """
        self._exchange.load_state_dict(state)
        self.load_learned_state(state)
