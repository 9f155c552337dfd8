"""The contract of what keeps the rows of all training instances."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor

# Where a checkpoint has the state of a store.
CHECKPOINT_KEY = 'instance_task_weights'


class InstanceStore(ABC):
    """A row per training instance, for the modules of a model that use it; a hook drives it.

    Attributes:
        tasks: Names of the T columns.
    """

    tasks: tuple[str, ...]

    @abstractmethod
    def set_batch(self, samples: Sequence[Any], names: Sequence[Any]) -> None:
        """Give the modules the rows of a batch: before the forward pass.

        Args:
            samples: Data samples of the batch.
            names: Keys of their instances.
        """

    @abstractmethod
    def collect(self) -> None:
        """Take the reports of the batch from the modules: after the backward pass."""

    @abstractmethod
    def step(self) -> None:
        """Learn from everything collected since the last step, on all ranks."""

    def end_epoch(self) -> None:  # noqa: B027 - some learn in every step
        """Learn from a whole epoch; a round through the data where training is iteration-based."""

    @abstractmethod
    def weights(self) -> Tensor:
        """Return the weights (I, T) of all instances."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, on the CPU."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
