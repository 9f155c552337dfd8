"""SegNet with multi-task attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmfct.registry import MODELS

_INIT = [
    dict(type='Xavier', layer='Conv2d', distribution='normal'),
    dict(type='Constant', layer='BatchNorm2d', val=1),
]


class _Level(NamedTuple):
    """Maps (B, C, h, w) of one resolution of the shared network: what masks are computed from, and what they mask."""

    early: Tensor
    late: Tensor


@MODELS.register_module()
class SegNetMTAN(BaseModule):
    """Features of each task from one shared SegNet, selected by attention masks of the task.

    Liu, Johns and Davison, "End-to-End Multi-Task Learning with Attention", CVPR 2019 (arXiv 1803.10704), sections 3.1
    and 3.2: the network of the two-task CityScapes protocol of CAGrad, Nash-MTL and FAMO. At each resolution, on the
    way down and on the way up, a mask in (0, 1) of the task multiplies the shared maps. It is computed by two 1x1
    convolutions from earlier maps of the same resolution and from the task's own maps of the resolution before. The
    convolutions that take a task's maps from one resolution to the next are shared by all tasks.

    Output t is made for a head with ``in_index=t``; the published one is a 3x3 and a 1x1 convolution, mmseg's
    ``FCNHead(num_convs=1, concat_input=False, norm_cfg=None, act_cfg=None, dropout_ratio=0)``.

    Args:
        num_tasks: Number of tasks T.
        filters: Channels of each resolution, from the full one down.
        in_channels: Channels of the images.
        init_cfg: Initialisation config; normal Xavier by default.

    Raises:
        ValueError: If ``num_tasks`` or one of ``filters`` is not positive, or an image is too small.
    """

    def __init__(
        self,
        num_tasks: int,
        filters: Sequence[int] = (64, 128, 256, 512, 512),
        in_channels: int = 3,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or _INIT)
        if num_tasks < 1:
            raise ValueError(f'`num_tasks` must be at least 1, got {num_tasks!r}')
        if not filters or min(filters) < 1:
            raise ValueError(f'`filters` must be positive numbers of channels, got {filters!r}')
        above = [filters[0], *filters[:-1]]  # what comes out of each resolution on the way up
        below = [*filters[1:], filters[-1]]
        convolutions = [2 if depth < 2 else 3 for depth in range(len(filters))]  # of VGG-16
        down = list(zip([in_channels, *filters], filters, convolutions, strict=False))
        up = list(zip(filters, above, convolutions, strict=True))[::-1]
        self.encoder = nn.ModuleList(_Stage(*stage) for stage in down)
        self.decoder = nn.ModuleList(_Stage(*stage) for stage in up)
        self.encoder_links = nn.ModuleList(_convolution(*widths) for widths in zip(filters, below, strict=True))
        self.decoder_links = nn.ModuleList(_convolution(width, out) for width, out, _ in up)
        self.attention = nn.ModuleList(_TaskAttention(filters, above) for _ in range(num_tasks))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return T maps (B, filters[0], H, W) from images (B, in_channels, H, W)."""
        smallest = 2 ** len(self.encoder)
        if min(images.shape[2:]) < smallest:
            raise ValueError(f'`images` must be at least {smallest} pixels high and wide, got {tuple(images.shape)}')
        down, up = self._shared(images)
        return tuple(attention(down, up, self.encoder_links, self.decoder_links) for attention in self.attention)

    def _shared(self, images: Tensor) -> tuple[list[_Level], list[_Level]]:
        """Run the SegNet: the levels on the way down, and those on the way up."""
        maps, down, up, places = images, [], [], []
        for stage in self.encoder:
            down.append(stage(maps))
            maps, indices = F.max_pool2d(down[-1].late, 2, return_indices=True)
            places.append(indices)
        for stage, level, indices in zip(self.decoder, down[::-1], places[::-1], strict=True):
            maps = F.max_unpool2d(maps, indices, (2, 2), output_size=level.late.shape[2:])
            up.append(_Level(maps, stage(maps).late))
            maps = up[-1].late
        return down, up


class _Stage(nn.Module):
    """Convolutions of one resolution: the maps after the first one, and after the last one."""

    def __init__(self, in_channels: int, channels: int, convolutions: int) -> None:
        super().__init__()
        self.first = _convolution(in_channels, channels)
        self.others = nn.Sequential(*(_convolution(channels, channels) for _ in range(convolutions - 1)))

    def forward(self, maps: Tensor) -> _Level:
        first = self.first(maps)
        return _Level(first, self.others(first))


class _TaskAttention(nn.Module):
    """The masks of one task, on the way down and on the way up, and its path along the shared levels."""

    def __init__(self, filters: Sequence[int], above: Sequence[int]) -> None:
        super().__init__()
        own = [0, *filters[1:]]  # at first the task has no maps of its own
        self.encoder = nn.ModuleList(_Mask(width + extra, width) for width, extra in zip(filters, own, strict=True))
        pairs = list(zip(filters, above, strict=True))[::-1]
        self.decoder = nn.ModuleList(_Mask(width + out, out) for width, out in pairs)

    def forward(
        self, down: list[_Level], up: list[_Level], encoder_links: nn.ModuleList, decoder_links: nn.ModuleList
    ) -> Tensor:
        maps = down[0].early[:, :0]  # at first there are none
        for level, mask, link in zip(down, self.encoder, encoder_links, strict=True):
            maps = F.max_pool2d(link(mask(level, maps)), 2)
        for level, mask, link in zip(up, self.decoder, decoder_links, strict=True):
            maps = F.interpolate(maps, size=level.early.shape[2:], mode='bilinear', align_corners=True)
            maps = mask(level, link(maps))
        return maps


class _Mask(nn.Module):
    """Multiply the late maps of a level by a mask from its early maps and the task's own maps."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.Sigmoid(),
        )

    def forward(self, level: _Level, own: Tensor) -> Tensor:
        return self.layers(torch.cat([level.early, own], dim=1)) * level.late


def _convolution(in_channels: int, channels: int) -> nn.Sequential:
    """Return a 3x3 convolution with BN and ReLU."""
    convolution = nn.Conv2d(in_channels, channels, 3, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
