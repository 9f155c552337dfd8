"""The transformation h as it is applied to stored galleries: matrix products, with BN folded into them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from mmfct.retrieval.transform.file import read_transform

_BN_EPS = 1e-5  # torch's default, which `mmfct.TransformationHead` uses

Layer = tuple[Tensor, Tensor]


class Transform:
    """Apply a trained h to old embeddings and side-information (FCT, arXiv 2112.02805).

    Gives what `mmfct.TransformationHead` gives in evaluation mode, from the file that `tools/export_transform.py`
    writes and without any other package.

    Args:
        path: The file.
        device: Where it runs.
        dtype: In which precision it computes; results are always float32.

    Attributes:
        description: What the file says about itself, a `TransformDescription`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or no transform, its weights are not those of the widths it names, or there is no
            such device.
    """

    def __init__(
        self, path: str | Path, *, device: torch.device | str = 'cpu', dtype: torch.dtype = torch.float32
    ) -> None:
        self.path = Path(path)
        self.description, weights, self.fingerprint = read_transform(path)
        try:
            self.device, self.dtype = torch.empty(0, device=device).device, dtype
        except (AssertionError, RuntimeError) as error:
            raise ValueError(f'`device` must be one of this machine, got {str(device)!r}: {error}') from error
        parts = ('old_branch', 'side_branch', 'mixer')
        try:
            folded = {part: [self._place(layer) for layer in fold_layers(weights, part)] for part in parts}
            self._old, self._side, self._mixer = folded.values()
            ends = [(self._old, 0), (self._side, 0), (self._mixer, -1)]
            widths = [layers[end][0].shape[0 if end else 1] for layers, end in ends]
        except (KeyError, IndexError, RuntimeError) as error:
            raise ValueError(f'transform {str(path)!r} must hold the layers of h, got {error!r}') from error
        named = [self.description.old_dims, self.description.side_dims, self.description.new_dims]
        if widths != named:
            raise ValueError(f'transform {str(path)!r} must have the widths {named} that it names, got {widths}')
        uncertainty = weights.get('uncertainty.weight')
        self._uncertainty = None if uncertainty is None else self._place((uncertainty, weights['uncertainty.bias']))

    def to_json(self) -> dict[str, Any]:
        """Return the entry of a gallery's chain of upgrades."""
        description = self.description
        old, new = description.old.to_json(), description.new.to_json()
        return {'transform': self.fingerprint, 'from': old, 'to': new, 'quality': dict(description.quality)}

    @property
    def predicts_uncertainty(self) -> bool:
        """Whether :meth:`log_variance` is there."""
        return self._uncertainty is not None

    @torch.no_grad()
    def __call__(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        """Transform old embeddings (B, D) and side-information (B, S) to upgraded embeddings (B, D'), float32.

        Without ``side`` the old embedding feeds both branches, as it did in training.

        Raises:
            ValueError: If a width is another one.
        """
        side = old if side is None else side
        for name, value, width in (
            ('old', old, self.description.old_dims),
            ('side', side, self.description.side_dims),
        ):
            if value.dim() != 2 or value.shape[1] != width:
                raise ValueError(f'`{name}` must have shape (B, {width}), got {tuple(value.shape)}')
        branches = [
            _run(value.to(self.device, self.dtype), layers, last_relu=True)
            for value, layers in ((old, self._old), (side, self._side))
        ]
        return _run(torch.cat(branches, dim=1), self._mixer, last_relu=False).float()

    @torch.no_grad()
    def log_variance(self, upgraded: Tensor) -> Tensor:
        """Predict the log-variance (B,) of upgraded embeddings (B, D') (FastFill, arXiv 2303.04766).

        Raises:
            ValueError: If h was trained without one.
        """
        if self._uncertainty is None:
            raise ValueError(
                f'transform {str(self.path)!r} must predict an uncertainty; train h with `with_uncertainty=True`'
            )
        return linear(upgraded.to(self.device, self.dtype), *self._uncertainty).float().squeeze(1)

    def _place(self, layer: Layer) -> Layer:
        weight, bias = (part.to(self.device, self.dtype) for part in layer)
        return weight, bias


def fold_layers(weights: Mapping[str, Tensor], part: str) -> list[Layer]:
    """Fold BN in evaluation mode into the linear layer before it.

    Args:
        weights: Weights of a `mmfct.TransformationHead`.
        part: ``'old_branch'``, ``'side_branch'`` or ``'mixer'``.

    Returns:
        Weight (out, in) and bias (out,) of each linear layer, in order.
    """
    found = (re.fullmatch(rf'{part}\.(\d+)\.weight', name) for name in weights)
    numbers = sorted(int(match[1]) for match in found if match)
    layers = []
    for number in numbers:
        weight = weights[f'{part}.{number}.weight'].double()
        if weight.dim() != 2:
            continue  # BN, folded into the layer before
        if f'{part}.{number}.bias' in weights:
            layers.append((weight, weights[f'{part}.{number}.bias'].double()))
            continue
        gain, shift, mean, variance = (
            weights[f'{part}.{number + 1}.{name}'].double()
            for name in ('weight', 'bias', 'running_mean', 'running_var')
        )
        scale = gain / torch.sqrt(variance + _BN_EPS)
        layers.append((weight * scale[:, None], shift - mean * scale))
    return layers


def _run(values: Tensor, layers: list[Layer], *, last_relu: bool) -> Tensor:
    for number, (weight, bias) in enumerate(layers, 1):
        values = linear(values, weight, bias)
        if last_relu or number < len(layers):
            values.relu_()
    return values
