"""A neck that turns features of a backbone into side-information."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfct.registry import MODELS


@MODELS.register_module()
class SideInfoNeck(BaseModule):
    """Pool feature maps of a backbone and project them to side-information of width S.

    Two uses (FCT, arXiv 2112.02805, section 3):

    - As the neck of a self-supervised model with its own network, ``num_layers=0``: the pooled embedding *is* the
      side-information. ``projector`` maps it to the contrastive space and is discarded after training.
    - On the shared, frozen backbone of an old classifier, ``num_layers=2`` and several stages in ``in_indices``:
      earlier stages still hold information that the old task did not need, and a gallery item costs one forward pass
      instead of two.

    Args:
        in_channels: Channels of each feature map that is used; a number for a single map.
        out_channels: Width S of the side-information.
        in_indices: Which maps of the backbone's output tuple to use, one for each entry of ``in_channels``.
        num_layers: Number of Linear layers; all but the last are followed by BN and ReLU. With 0 the pooled features
            are returned, and ``out_channels`` must be ``sum(in_channels)``.
        hidden_channels: Width of the hidden layers; ``None`` for twice ``out_channels``.
        projector: Config of a neck behind the side-information, for a contrastive loss; ``None`` to return the
            side-information itself.
        init_cfg: Initialisation config.

    Raises:
        ValueError: If the arguments do not fit one another.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        out_channels: int,
        *,
        in_indices: Sequence[int] = (-1,),
        num_layers: int = 0,
        hidden_channels: int | None = None,
        projector: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        channels = (in_channels,) if isinstance(in_channels, int) else tuple(in_channels)
        if len(channels) != len(in_indices):
            raise ValueError(
                '`in_channels` must name the channels of each map in `in_indices`, '
                f'got {in_channels!r} for {tuple(in_indices)!r}'
            )
        if num_layers < 0:
            raise ValueError(f'`num_layers` must not be negative, got {num_layers!r}')
        if num_layers == 0 and sum(channels) != out_channels:
            raise ValueError(
                f'`out_channels` must be the sum of `in_channels` ({sum(channels)}) when `num_layers` is 0, '
                f'got {out_channels!r}'
            )
        self.in_channels = channels
        self.in_indices = tuple(in_indices)
        self.layers = _perceptron(sum(channels), hidden_channels or 2 * out_channels, out_channels, num_layers)
        self.projector = None if projector is None else MODELS.build(projector)

    def forward(self, feats: Tensor | tuple[Tensor, ...]) -> tuple[Tensor]:
        """Map features to a 1-tuple of side-information (B, S), or of its projection if there is a projector.

        Args:
            feats: Maps of shape (B, C_k, H_k, W_k), or one map, or pooled features of shape (B, C).

        Raises:
            ValueError: If the maps do not have ``in_channels`` channels.
        """
        maps = feats if isinstance(feats, (tuple, list)) else (feats,)
        pooled = [
            maps[index].flatten(2).mean(2) if maps[index].dim() > 2 else maps[index] for index in self.in_indices
        ]
        widths = tuple(features.shape[1] for features in pooled)
        if widths != self.in_channels:
            raise ValueError(f'the maps {self.in_indices} must have {self.in_channels} channels, got {widths}')
        side_info = self.layers(torch.cat(pooled, dim=1))
        if self.projector is None:
            return (side_info,)
        projected = self.projector((side_info[:, :, None, None],))
        return (projected[-1],)


def _perceptron(in_channels: int, hidden_channels: int, out_channels: int, num_layers: int) -> nn.Sequential:
    """Build Linear-BN-ReLU layers and a last Linear; inputs are standardised, because stages differ in scale."""
    layers: list[nn.Module] = [nn.BatchNorm1d(in_channels, affine=False)] if num_layers else []
    width = in_channels
    for _ in range(num_layers - 1):
        layers += [nn.Linear(width, hidden_channels, bias=False), nn.BatchNorm1d(hidden_channels), nn.ReLU(True)]
        width = hidden_channels
    if num_layers:
        layers.append(nn.Linear(width, out_channels))
    return nn.Sequential(*layers)
