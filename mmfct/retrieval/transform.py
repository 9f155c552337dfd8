"""Apply a transform file: matrix products, and nothing of the training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from .transform_description import TransformDescription
from .transform_file import read_transform

COMPUTE_DTYPES = ('float32', 'float16', 'bfloat16')
_NORM = ('weight', 'bias', 'running_mean', 'running_var')


class Transform:
    """The transformation h of a file; BN is folded into the linear layers, in double precision, at load.

    Args:
        description: What it is.
        tensors: Its weights by name, see `TransformDescription.shapes`.
        device: Where it runs.
        dtype: What it computes in, one of `COMPUTE_DTYPES`; outputs are float32 in any case.

    Raises:
        ValueError: If ``dtype`` is another one.
    """

    def __init__(
        self,
        description: TransformDescription,
        tensors: Mapping[str, Tensor],
        *,
        device: str = 'cpu',
        dtype: str = 'float32',
    ) -> None:
        if dtype not in COMPUTE_DTYPES:
            raise ValueError(f'`dtype` must be one of {", ".join(COMPUTE_DTYPES)}, got {dtype!r}')
        self.description = description
        self.dtype = getattr(torch, dtype)
        self.device = torch.device(device)
        # Weight (out, in) and bias (out,) of every layer, in order.
        self._layers: dict[str, list[tuple[Tensor, Tensor]]] = {
            part: [
                self._place(*_fold(tensors, part, 3 * step, description.norm_eps)) for step in range(len(widths) - 1)
            ]
            for part, widths in description.layers.items()
        }
        self._uncertainty: tuple[Tensor, Tensor] | None = None
        if description.with_uncertainty:
            weight, bias = tensors['uncertainty.weight'], tensors['uncertainty.bias']
            self._uncertainty = weight.float().to(self.device), bias.float().to(self.device)

    @classmethod
    def load(cls, path: str | Path, *, device: str = 'cpu', dtype: str = 'float32') -> Transform:
        """Read a transform from its file.

        Raises:
            FileNotFoundError: See `read_transform`.
            ValueError: See `read_transform`.
        """
        return cls(*read_transform(path), device=device, dtype=dtype)

    @torch.inference_mode()
    def __call__(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        """Transform old embeddings (B, D) with side-information (B, S) to upgraded embeddings (B, D'), float32.

        A transform that was trained without side-information gives the old embedding to both branches.

        Raises:
            ValueError: If ``side`` is missing.
        """
        if self.description.side is None:
            side = old
        elif side is None:
            raise ValueError(f'`side` must be the embeddings of {self.description.side}, got None')
        old, side = old.to(self.device, self.dtype), side.to(self.device, self.dtype)
        hidden = torch.cat([_run(self._layers['old_branch'], old), _run(self._layers['side_branch'], side)], dim=1)
        *layers, (weight, bias) = self._layers['mixer']
        return F.linear(_run(layers, hidden), weight, bias).float()

    @torch.inference_mode()
    def log_variance(self, upgraded: Tensor) -> Tensor:
        """Return the log-variance (B,) of upgraded embeddings (B, D'), high where the transform is unsure.

        Raises:
            ValueError: If the transform was trained without one.
        """
        if self._uncertainty is None:
            raise ValueError(f'transform {self.description.name!r} has no log-variance: train with `with_uncertainty`')
        return F.linear(upgraded, *self._uncertainty).squeeze(1)

    def _place(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return weight.to(self.device, self.dtype), bias.to(self.device, self.dtype)


def _run(layers: list[tuple[Tensor, Tensor]], rows: Tensor) -> Tensor:
    """Apply Linear-ReLU layers to rows (B, in)."""
    for weight, bias in layers:
        rows = F.linear(rows, weight, bias).relu_()
    return rows


def _fold(tensors: Mapping[str, Tensor], part: str, index: int, eps: float) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a Linear with the BN behind it, if there is one."""
    weight = tensors[f'{part}.{index}.weight'].double()
    if f'{part}.{index}.bias' in tensors:
        return weight, tensors[f'{part}.{index}.bias'].double()
    norm = {name: tensors[f'{part}.{index + 1}.{name}'].double() for name in _NORM}
    scale = norm['weight'] / (norm['running_var'] + eps).sqrt()
    return weight * scale[:, None], norm['bias'] - norm['running_mean'] * scale
