"""What is written as TorchScript: models with the signatures of the FCT reference, which passes maps of 1x1."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mmfct.models import FrozenEncoders, JoinedEncoder, TransformationHead


class BackboneScript(nn.Module):
    """Normalised images (B, 3, H, W) -> embedding (B, D, 1, 1), from a frozen encoder; named as in a checkpoint."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.backbone: nn.Module = encoder.backbone
        self.neck: nn.Module = encoder.neck

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings of images."""
        output = self.neck(self.backbone(images))
        embedding = output[-1] if isinstance(output, (tuple, list)) else output
        return embedding[:, :, None, None]


class TransformationScript(nn.Module):
    """Old embedding (B, D, 1, 1) and side-information (B, S, 1, 1) -> upgraded embedding (B, D', 1, 1)."""

    def __init__(self, head: TransformationHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, old: Tensor, side: Tensor) -> Tensor:
        """Return upgraded embeddings."""
        return self.head(old.flatten(1), side.flatten(1))[:, :, None, None]


class TransformedModelScript(nn.Module):
    """Normalised images -> upgraded embedding (B, D', 1, 1).

    Args:
        encoders: The old model, and side-information if there is any.
        transformation: What joins them.

    Raises:
        ValueError: If the two normalise images differently, since one input cannot serve both, or side-information
            comes from several models.
    """

    def __init__(self, encoders: FrozenEncoders, transformation: TransformationScript) -> None:
        super().__init__()
        old: Any = encoders.encoders['old']
        side: Any = encoders.encoders['side'] if 'side' in encoders.roles else None
        if isinstance(side, JoinedEncoder):
            raise ValueError(
                'side-information of several models cannot become one file: export the transformation alone'
            )
        if side is not None and not _alike(old.data_preprocessor, side.data_preprocessor):
            raise ValueError(
                'the old model and its side-information must normalise images alike to become one file, '
                f'got {_normalization(old.data_preprocessor)} and {_normalization(side.data_preprocessor)}'
            )
        self.old_model = BackboneScript(old)
        self.side_info_model = None if side is None else BackboneScript(side)
        self.transformation = transformation

    def forward(self, images: Tensor) -> Tensor:
        """Return upgraded embeddings of images."""
        old = self.old_model(images)
        side = old if self.side_info_model is None else self.side_info_model(images)
        return self.transformation(old, side)


def _normalization(preprocessor: nn.Module) -> dict[str, object]:
    """Name what a data preprocessor of the hosts does to the values of an image."""
    buffers = {name: getattr(preprocessor, name, None) for name in ('mean', 'std')}
    values = {name: value.flatten().tolist() if torch.is_tensor(value) else value for name, value in buffers.items()}
    # mmpretrain and mmengine say in different words whether channels are swapped.
    swapped = getattr(preprocessor, '_channel_conversion', getattr(preprocessor, 'to_rgb', False))
    return {**values, 'channels swapped': bool(swapped)}


def _alike(first: nn.Module, second: nn.Module) -> bool:
    return _normalization(first) == _normalization(second)
