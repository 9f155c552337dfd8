"""What the tests of instance tables share."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode


class TensorSizes(TorchDispatchMode):
    """Keeps the number of elements of every new tensor, and of those that an operation reads or writes whole."""

    def __init__(self):
        super().__init__()
        self.outputs: list[int] = []
        self.inputs: dict[str, int] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = func._schema.name
        # Gathers and scatters touch only the rows they are given; views and `new_zeros` read nothing.
        if not any(word in name for word in ('index', 'slice', 'new_')):
            read = [value.numel() for value in args if isinstance(value, torch.Tensor)]
            self.inputs[name] = max([*read, self.inputs.get(name, 0)])
        if not name.endswith('_'):
            results = result if isinstance(result, tuple) else (result,)
            self.outputs += [value.numel() for value in results if isinstance(value, torch.Tensor)]
        return result


@pytest.fixture
def tensor_sizes() -> type[TensorSizes]:
    """Context manager that keeps how large the tensors of all operations are."""
    return TensorSizes
