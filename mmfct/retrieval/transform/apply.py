"""Apply a transform file to stored embeddings: a few matrix products."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from mmfct.retrieval.transform.file import TransformDescription, read_profiles, read_transform
from mmfct.retrieval.transform.layers import UNCERTAINTY, Layer
from mmfct.retrieval.transform.network import TransformNetwork


class Transform:
    """Apply a learned transformation to old embeddings and side-information (FCT, arXiv 2112.02805).

    From the file that `mmfct export` writes it computes what `mmfct.TransformationHead` computes in
    evaluation mode; from that of `mmfct learn`, what was learned there. It needs none of the hosts.

    Args:
        path: The transform file.
        device: Where it runs.
        dtype: Precision of the computation; results are always float32.

    Attributes:
        description: What the file says about itself, a `TransformDescription`.
        fingerprint: Fingerprint of the weights and of the structure of the network.
        network: The network, on the device.
        profiles: What its inputs looked like, by ``old`` and ``side``; empty if the file does not know.

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
            network = _network(self.description, weights)
            self.profiles = read_profiles(self.description, weights)
            probe = torch.zeros(1, self.description.old_dims), torch.zeros(1, self.description.side_dims)
            got = network(*probe).shape[1]
        except (KeyError, IndexError, RuntimeError, ValueError) as error:
            raise ValueError(f'transform {str(path)!r} must hold the layers of h, got {error!r}') from error
        if got != self.description.new_dims:
            raise ValueError(
                f'transform {str(path)!r} must have the width {self.description.new_dims} that it names, got {got}'
            )
        self.network = network.to(self.device, dtype)
        self._uncertainty: Layer | None = None
        if f'{UNCERTAINTY}.weight' in weights:
            self._uncertainty = self._place(Layer(weights[f'{UNCERTAINTY}.weight'], weights[f'{UNCERTAINTY}.bias']))

    def to_json(self) -> dict[str, Any]:
        """Return what a gallery notes about an upgrade with this transform."""
        description = self.description
        old, new = description.old.to_json(), description.new.to_json()
        noted = {'transform': self.fingerprint, 'from': old, 'to': new, 'quality': dict(description.quality)}
        learned_from = description.training.get('learned_from')
        return noted if learned_from is None else noted | {'learned_from': learned_from}

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
        return self.network(old.to(self.device, self.dtype), side.to(self.device, self.dtype)).float()

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
        weight, bias, _ = self._uncertainty
        return linear(upgraded.to(self.device, self.dtype), weight, bias).float().squeeze(1)

    def check_inputs(self, old: Tensor | None, side: Tensor | None, where: str) -> None:
        """Refuse vectors that cannot come from where those came from that the transform was learned from.

        Args:
            old: Some old embeddings (N, D), spread over the gallery; ``None`` to check side-information alone.
            side: Their side-information (N, S); ``None`` if there is none.
            where: What messages call the gallery.

        Raises:
            ValueError: If they cannot; the message says why, and what to do. Files that know nothing about their
                inputs, as those of `mmfct export`, refuse nothing.
        """
        for role, rows in (('old', old), ('side', side)):
            if role in self.profiles and rows is not None:
                objection = self.profiles[role].objection(rows, unit=self.network.unit_inputs)
                if objection is not None:
                    what = 'embeddings' if role == 'old' else 'side-information'
                    raise ValueError(f'the {what} of {where}, which {self.path} transforms, {objection}')

    def _place(self, layer: Layer) -> Layer:
        weight, bias = (value.to(self.device, self.dtype) for value in (layer.weight, layer.bias))
        return Layer(weight, bias, layer.relu)


def _network(description: TransformDescription, weights: Mapping[str, Tensor]) -> TransformNetwork:
    if description.structure is None:
        return TransformNetwork.from_head(weights)
    return TransformNetwork.from_weights(description.structure, weights)
