"""The parameters of all training instances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmfct.instances.exchange import InstanceExchange
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
        self._exchange = InstanceExchange(modules, keys, device=device, track_losses=track_losses)
        self.tasks = self._exchange.tasks
        self._modules = modules
        powers = [module.scale_power for module in modules for _ in module.instance_tasks]
        limit = torch.tensor(powers) * math.log(max_factor)
        size = len(keys), len(self.tasks)
        self._optimizer = InstanceSGD(*size, lr, momentum=momentum, decay=decay, limit=limit, device=device)

    @property
    def deviation(self) -> Tensor:
        """Parameters ``d`` of shape (I, T)."""
        return self._optimizer.table

    def weights(self) -> Tensor:
        """Return the weights (I, T) of all instances."""
        pairs = zip(self._modules, self._exchange.columns, strict=True)
        return torch.cat([module.weights(self.deviation[:, columns]) for module, columns in pairs], dim=1)

    def set_batch(self, samples: Sequence[Any], names: Sequence[Any]) -> None:
        """Give the modules the parameters of a batch; see `InstanceExchange`."""
        self._exchange.set_batch(samples, names, self.deviation)

    def collect(self) -> None:
        """Take the gradients of the batch from the modules."""
        self._exchange.collect()

    def step(self) -> None:
        """Step with everything collected since the last step, on all ranks."""
        rows, report = self._exchange.take_reports()
        self._optimizer.step(rows, report.values, report.annotated)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, on the CPU; tensors are (T,) or (I, T)."""
        state: dict[str, Any] = dict(self._optimizer.state_dict())
        state['log_variance'] = torch.cat([module.log_variance.detach() for module in self._modules])
        state['factor'] = torch.cat([module.factor for module in self._modules])
        state['exponent'] = torch.cat([module.exponent for module in self._modules])
        state |= self._exchange.state_dict()
        return {name: value.cpu() if isinstance(value, Tensor) else value for name, value in state.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned.

        Raises:
            ValueError: If it belongs to another training set, to other tasks or to another kind of weights.
        """
        self._exchange.load_state_dict(state)
        if 'deviation' not in state:
            raise ValueError(
                'the checkpoint has weights by agreement, the model parameters that are trained by gradient descent'
            )
        self._optimizer.load_state_dict(state)
