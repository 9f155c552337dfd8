"""Apply a transform file to stored embeddings: a few matrix products, into which BN is folded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from mmfct.retrieval.transform.file import read_transform
from mmfct.retrieval.transform.layers import PARTS, UNCERTAINTY, Layer, fold_perceptron


class Transform:
    """Apply a trained h to old embeddings and side-information (FCT, arXiv 2112.02805).

    It computes what `mmfct.TransformationHead` computes in evaluation mode, from the file that
    `tools/export_transform.py` writes, and needs none of the hosts.

    Args:
        path: The transform file.
        device: Where it runs.
        dtype: Precision of the computation; results are always float32.

    Attributes:
        description: What the file says about itself, a `TransformDescription`.
        fingerprint: Fingerprint of the weights.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or no transform file, its weights do not have the widths that it states, or there
            is no such device.
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
        try:
            self._old, self._side, self._mixer = (
                [self._place(layer) for layer in fold_perceptron(weights, part)] for part in PARTS
            )
            widths = [self._old[0].weight.shape[1], self._side[0].weight.shape[1], self._mixer[-1].weight.shape[0]]
        except (KeyError, IndexError, RuntimeError) as error:
            raise ValueError(f'transform {str(path)!r} must hold the layers of h, got {error!r}') from error
        stated = [self.description.old_dims, self.description.side_dims, self.description.new_dims]
        if widths != stated:
            raise ValueError(f'transform {str(path)!r} must have the widths {stated} that it names, got {widths}')
        self._uncertainty: Layer | None = None
        if f'{UNCERTAINTY}.weight' in weights:
            self._uncertainty = self._place(Layer(weights[f'{UNCERTAINTY}.weight'], weights[f'{UNCERTAINTY}.bias']))

    def to_json(self) -> dict[str, Any]:
        """Return what a gallery notes about an upgrade with this transform."""
        description = self.description
        old, new = description.old.to_json(), description.new.to_json()
        return {'transform': self.fingerprint, 'from': old, 'to': new, 'quality': dict(description.quality)}

    @property
    def predicts_uncertainty(self) -> bool:
        """Whether h was trained to predict a log-variance."""
        return self._uncertainty is not None

    @torch.no_grad()
    def __call__(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        """Transform old embeddings (B, D) and side-information (B, S) to upgraded embeddings (B, D'), float32.

        Without ``side`` the old embedding feeds both branches, as it did in training.

        Raises:
            ValueError: If an input has another width.
        """
        side = old if side is None else side
        for name, value, width in (
            ('old', old, self.description.old_dims),
            ('side', side, self.description.side_dims),
        ):
            if value.dim() != 2 or value.shape[1] != width:
                raise ValueError(f'`{name}` must have shape (B, {width}), got {tuple(value.shape)}')
        branches = [self._run(old, self._old), self._run(side, self._side)]
        return self._run(torch.cat(branches, dim=1), self._mixer).float()

    @torch.no_grad()
    def log_variance(self, upgraded: Tensor) -> Tensor:
        """Predict the log-variance (B,) of upgraded embeddings (B, D') (FastFill, arXiv 2303.04766).

        Raises:
            ValueError: If h does not predict one.
        """
        if self._uncertainty is None:
            raise ValueError(
                f'transform {str(self.path)!r} must predict an uncertainty; train h with `with_uncertainty=True`'
            )
        return self._run(upgraded, [self._uncertainty]).float().squeeze(1)

    def _place(self, layer: Layer) -> Layer:
        weight, bias = (value.to(self.device, self.dtype) for value in (layer.weight, layer.bias))
        return Layer(weight, bias, layer.relu)

    def _run(self, values: Tensor, layers: list[Layer]) -> Tensor:
        values = values.to(self.device, self.dtype)
        for weight, bias, relu in layers:
            values = linear(values, weight, bias)
            if relu:
                values.relu_()
        return values
