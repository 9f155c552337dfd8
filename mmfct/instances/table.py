"""The parameters of all training instances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmfct.instances.instance_sgd import InstanceSGD
from mmfct.instances.keys import InstanceKeys
from mmfct.instances.parameters import InstanceParameters
from mmfct.instances.store import InstanceStore


class InstanceTable(InstanceStore):
    """Parameters of all training instances, of which a step moves those of its batch.

    Under several ranks the gradients of all are put together first, so that every rank holds the table that one
    process would have on the same global batch.

    Args:
        modules: Modules that use the parameters, such as `mmfct.InstanceTaskWeighting`.
        keys: Keys of the training instances; row i of the table belongs to the i-th.
        lr: Rate.
        momentum: Momentum, see `InstanceSGD`.
        decay: Weight decay, see `InstanceSGD`.
        max_factor: A scale (standard deviation, temperature) is clamped to [1 / max_factor, max_factor].
        track_losses: Whether to keep the mean loss of every instance too.
        device: Where the table lives.

    Raises:
        ValueError: If two modules have a task of one name, or an option is out of range.
    """

    def __init__(
        self,
        modules: Sequence[InstanceParameters],
        keys: InstanceKeys,
        *,
        lr: float,
        momentum: float,
        decay: float,
        max_factor: float,
        track_losses: bool,
        device: torch.device | str,
    ) -> None:
        super().__init__(modules, keys, track_losses=track_losses, device=device)
        self._parameters = modules
        powers = [module.scale_power for module in modules for _ in module.instance_tasks]
        limit = torch.tensor(powers) * math.log(max_factor)
        size = len(keys), len(self.tasks)
        self._optimizer = InstanceSGD(*size, lr, momentum=momentum, decay=decay, limit=limit, device=device)

    @property
    def rows(self) -> Tensor:
        """The parameters ``d`` of all instances, (I, T)."""
        return self._optimizer.table

    def step(self) -> None:
        """Step with everything collected since the last step, on all ranks."""
        rows, report = self._exchange.take_reports()
        self._optimizer.step(rows, report.values, report.annotated)

    def learned_state(self) -> dict[str, Any]:
        """Return the parameters, and what their weights follow from."""
        state: dict[str, Any] = dict(self._optimizer.state_dict())
        state['log_variance'] = torch.cat([module.log_variance.detach() for module in self._parameters])
        state['factor'] = torch.cat([module.factor for module in self._parameters])
        state['exponent'] = torch.cat([module.exponent for module in self._parameters])
        return state

    def load_learned_state(self, state: dict[str, Any]) -> None:
        """Restore the parameters.

        Raises:
            ValueError: If the state has weights by agreement.
        """
        if 'deviation' not in state:
            raise ValueError(
                'the checkpoint has weights by agreement, the model parameters that are trained by gradient descent'
            )
        self._optimizer.load_state_dict(state)
