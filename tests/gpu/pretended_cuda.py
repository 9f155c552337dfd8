"""A GPU for machines without one: tensors on the CPU that claim to be on ``cuda:0``, with real values.

torch's `FakeTensorMode` has such tensors too, but no values, so that everything that looks at one stops there, and on
a machine without a driver it has no backward pass. Here both work: trainings run to their end, and compute what the
CPU computes. What is true of a GPU about places is true here: functions of tensors in different places raise, an
array of such a tensor raises, and what a function makes lies where its inputs lie. `test_pretended_cuda.py` compares
these rules with those of `FakeTensorMode`, function by function.

What it does not see: rounding and kernels of GPUs, streams, C++ code that makes tensors by itself, and the backward
of a `torch.autograd.Function`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

CPU, CUDA = torch.device('cpu'), torch.device('cuda', 0)

_PROPERTIES: dict[Callable, Callable[[torch.device], Any]] = {
    Tensor.device.__get__: lambda place: place,
    Tensor.is_cuda.__get__: lambda place: place == CUDA,
    Tensor.is_cpu.__get__: lambda place: place == CPU,
    Tensor.get_device: lambda place: 0 if place == CUDA else -1,
}
_MOVES = {Tensor.to, Tensor.cuda, Tensor.cpu, Tensor.type_as}
_TO_NUMPY = {Tensor.numpy, Tensor.__array__, Tensor.pin_memory}
# Their tensors may lie anywhere.
_ANYWHERE = {Tensor.copy_, Tensor.data.__set__, Tensor.grad.__set__, torch._has_compatible_shallow_copy_type}
_INDEXING = {Tensor.__getitem__, Tensor.__setitem__}
_JOINS = {torch.stack, torch.cat, torch.hstack, torch.vstack}  # here a scalar on the CPU is no exception


class PretendedCuda(TorchFunctionMode):
    """While it is active, ``device='cuda'`` and ``.to('cuda')`` make tensors that claim to be there."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call the function on the CPU, after checking the places of its tensors, and note that of its result."""
        kwargs = dict(kwargs or {})
        if func in _PROPERTIES:
            return _PROPERTIES[func](place_of(args[0]) or CPU)
        if func in _MOVES:
            return _move(func, *args, **kwargs)
        tensors = list(_tensors((args, kwargs)))
        place = None if func in _ANYWHERE else _common_place(func, args, tensors)
        if func in _TO_NUMPY and place == CUDA:
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")
        if func == Tensor.pin_memory:
            return args[0]
        if kwargs.get('device') is not None:
            place, kwargs['device'] = _as_place(kwargs['device']), CPU
            if place == CUDA and kwargs.get('generator') is not None:
                raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
            if func is torch.as_tensor and isinstance(args[0], Tensor):
                return _move(Tensor.to, func(*args, **kwargs), place)
        results = func(*args, **kwargs)
        return _placed(results, place or CPU) if func not in _ANYWHERE else results


def place_of(tensor: Tensor) -> torch.device | None:
    """Return where a tensor claims to be; None if it was made by C++ code from tensors that only this knows."""
    try:
        place = getattr(tensor.untyped_storage(), 'place', None)
    except (NotImplementedError, RuntimeError):  # inside `torch.vmap` tensors have no storage
        return None
    return place or (None if tensor.grad_fn is not None else CPU)


def _move(func: Callable, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Copy a tensor to another place and type, or return it if it is there."""
    source = place_of(tensor) or CPU
    target = source
    if func in (Tensor.cuda, Tensor.cpu):
        target, args, kwargs = (CUDA if func is Tensor.cuda else CPU), (), {}
    elif func is Tensor.type_as or (args and isinstance(args[0], Tensor)):
        target = place_of(args[0]) or CPU
    elif args and isinstance(args[0], str | torch.device | int):
        target, args = _as_place(args[0]), (CPU, *args[1:])
    elif kwargs.get('device') is not None:
        target, kwargs['device'] = _as_place(kwargs['device']), CPU
    with torch._C.DisableTorchFunction():
        result = func(tensor, *args, **kwargs) if func in (Tensor.to, Tensor.type_as) else tensor
        if source != target and result.untyped_storage() is tensor.untyped_storage():
            result = result.clone()
    result.untyped_storage().place = target
    return result


def _common_place(func: Callable, args: tuple, tensors: list[Tensor]) -> torch.device | None:
    """Return where the tensors of a call lie; raise if they lie in different places that the function cannot join."""
    if func in _INDEXING:  # rows of a GPU may be chosen by indices on the CPU, and slices filled from anywhere
        own, indices = place_of(args[0]), list(_tensors(args[1]))
        wrong = [tensor for tensor in indices if place_of(tensor) == CUDA != own]
        if indices:
            wrong += [value for value in _tensors(args[2:]) if value.dim() and place_of(value) not in (own, None)]
        if wrong:
            _refuse(func, [args[0], *wrong])
        return own
    places = {place for tensor in tensors if (place := place_of(tensor)) is not None}
    if places == {CPU, CUDA}:
        shaped = [tensor for tensor in tensors if place_of(tensor) == CPU and (tensor.dim() or func in _JOINS)]
        if shaped:
            _refuse(func, tensors)
        return CUDA
    return places.pop() if places else None


def _refuse(func: Callable, tensors: list[Tensor]) -> None:
    """Raise as torch does."""
    found = ', '.join(f'{place_of(tensor)} {tuple(tensor.shape)}' for tensor in tensors)
    name = getattr(func, '__name__', str(func))
    raise RuntimeError(f'Expected all tensors to be on the same device, but got in {name}: {found}')


def _placed(results: Any, place: torch.device) -> Any:
    """Note the place of everything that a function has made; views keep theirs."""
    for tensor in _tensors(results):
        with contextlib.suppress(NotImplementedError, RuntimeError), torch._C.DisableTorchFunction():
            storage = tensor.untyped_storage()
            if getattr(storage, 'place', None) is None:
                storage.place = place
    return results


def _as_place(device: str | int | torch.device) -> torch.device:
    """Return ``cuda:0`` for ``cuda``; there is no second one."""
    device = torch.device('cuda', device) if isinstance(device, int) else torch.device(device)
    if device.type == 'cuda' and device.index not in (None, 0):
        raise RuntimeError(f'CUDA error: invalid device ordinal {device.index}')
    return CUDA if device.type == 'cuda' else device


def _tensors(values: Any) -> Iterator[Tensor]:
    """All tensors in nested lists, tuples and dicts."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)
    elif isinstance(values, dict):
        yield from _tensors(list(values.values()))


@contextlib.contextmanager
def pretended_cuda() -> Iterator[None]:
    """Pretend that this machine has a GPU, and that torch and mmengine see it."""
    init, torch_load = torch.autocast.__init__, torch.load

    def autocast(self, device_type, *args, **kwargs) -> None:
        if device_type == 'cpu':  # does not concern a GPU: leave what there is
            enabled, dtype = torch.is_autocast_enabled('cpu'), torch.get_autocast_dtype('cpu')
            args, kwargs = (), dict(kwargs, enabled=enabled, dtype=dtype)
        init(self, 'cpu', *args, **kwargs)

    def load(*args, map_location=None, **kwargs) -> Any:
        loaded = torch_load(*args, map_location='cpu', **kwargs)
        for tensor in _tensors(loaded):
            tensor.untyped_storage().place = CPU if map_location is None else _as_place(map_location)
        return loaded

    with pytest.MonkeyPatch.context() as patch:
        for name, value in dict(
            is_available=True,
            device_count=1,
            current_device=0,
            is_bf16_supported=True,
            max_memory_allocated=0,
            memory_allocated=0,
            is_current_stream_capturing=False,
        ).items():
            patch.setattr(torch.cuda, name, lambda *_, value=value, **__: value)
        for name in ('synchronize', 'empty_cache', 'reset_peak_memory_stats', 'manual_seed_all', 'set_device'):
            patch.setattr(torch.cuda, name, lambda *_, **__: None)
        patch.setattr(torch.cuda, 'get_device_name', lambda *_: 'pretended')
        patch.setattr(torch.accelerator, 'current_stream', lambda *_: SimpleNamespace(is_capturing=lambda: False))
        patch.setattr(torch.autocast, '__init__', autocast)
        patch.setattr(torch, 'load', load)
        patch.setattr('mmengine.device.utils.DEVICE', 'cuda')
        with PretendedCuda():
            yield
