"""Scalarizers of TorchJD."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mmfct.models.task_weightings.scalarization import Scalarization
from mmfct.registry import MODELS

# Those that need more than the losses, and what to use instead.
_NOT_OFFERED = {
    'DWA': 'it has to be told when an epoch ends; use mmfct.DynamicWeightAverage',
    'FAMO': 'it needs the losses of the same batch again after the step',
    'Random': 'ranks would draw different weights; use mmfct.RandomLossWeighting',
}


@MODELS.register_module()
class TorchJDWeighting(Scalarization):
    """Combine the tasks' mean losses by a scalarizer of TorchJD.

    Its learned parameters, such as those of ``UW`` and ``IMTLL``, are ordinary parameters of the model.

    Args:
        forms: Form of each task's loss by task name; only the names matter here.
        scalarizer: Name of a class in ``torchjd.scalarization``, such as ``'STCH'``.
        options: Its arguments. One that has a value per task is a dict by task name; ``shape`` is filled in.

    Raises:
        ImportError: If torchjd is not installed.
        ValueError: If there is no such scalarizer, the options do not fit it, or a dict has not a number for each
            task.
    """

    def __init__(self, forms: dict[str, str], scalarizer: str, options: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.tasks = tuple(forms)
        build = _scalarizers().get(scalarizer)
        if build is None:
            reason = f' ({_NOT_OFFERED[scalarizer]})' if scalarizer in _NOT_OFFERED else ''
            raise ValueError(f'`scalarizer` must be one of {sorted(_scalarizers())}, got {scalarizer!r}{reason}')
        self.scalarizer = self._build(build, options or {})
        for name, value in list(vars(self.scalarizer).items()):
            if isinstance(value, Tensor):  # as a buffer it follows the model to its device
                delattr(self.scalarizer, name)
                self.scalarizer.register_buffer(name, value, persistent=False)

    def scalarize(self, means: Tensor, present: Tensor) -> Tensor:
        """Scalarize the means (T,) of the tasks that are present (T,); what belongs to the others is left out."""
        # Every parameter is part of the objective, as DDP demands.
        nothing = 0 * (means.sum() + sum(value.sum() for value in self.scalarizer.parameters()))
        if not present.any():
            return nothing
        state = {**dict(self.scalarizer.named_parameters()), **dict(self.scalarizer.named_buffers())}
        part = {name: value[present] for name, value in state.items()}
        with torch.autocast(means.device.type, enabled=False):  # some divide what half precision rounds to 0
            return functional_call(self.scalarizer, part, (means[present],)) + nothing

    def _build(self, build: type[nn.Module], options: Mapping[str, Any]) -> nn.Module:
        signature = inspect.signature(build)
        arguments = {name: self._argument(name, value) for name, value in options.items()}
        if 'shape' in signature.parameters:
            arguments['shape'] = len(self.tasks)
        try:
            signature.bind(**arguments)
        except TypeError as error:
            raise ValueError(f'`options` must be arguments of {build.__name__}{signature}: {error}') from error
        return build(**arguments)

    def _argument(self, name: str, value: Any) -> Any:
        """Turn numbers by task name into a tensor (T,)."""
        if not isinstance(value, Mapping):
            return value
        if set(value) != set(self.tasks):
            raise ValueError(
                f'`{name}` must have a number for each of the tasks {list(self.tasks)}, got {dict(value)!r}'
            )
        return torch.tensor([float(value[task]) for task in self.tasks])


def _scalarizers() -> dict[str, type[nn.Module]]:
    """Return the classes on offer by name."""
    try:
        from torchjd import scalarization
    except ImportError as error:
        raise ImportError('mmfct.TorchJDWeighting needs TorchJD; install it with `pip install torchjd`') from error
    names = set(scalarization.__all__) - {'Scalarizer'} - set(_NOT_OFFERED)
    return {name: getattr(scalarization, name) for name in names}
