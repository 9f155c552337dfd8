"""Wide residual network for small images."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmfct.registry import MODELS

_INIT = [dict(type='Kaiming', layer='Conv2d'), dict(type='Constant', layer='BatchNorm2d', val=1)]


@MODELS.register_module()
class WideResNet(BaseModule):
    """WRN-``depth``-``widen_factor`` of Zagoruyko and Komodakis, "Wide Residual Networks" (BMVC 2016).

    For images of about 32x32 pixels: a 3x3 convolution, three stages of pre-activated blocks with 16, 32 and 64 times
    ``widen_factor`` channels, the second and third at half of the resolution before, and a last BN and ReLU. BN and
    ReLU come first in a block; where it changes the number of channels, its 1x1 shortcut starts after them.

    Args:
        depth: Number of convolutions, the three shortcuts included: 6 n + 4 with n blocks in each stage.
        widen_factor: Factor of the number of channels.
        dropout: Probability of dropout between the convolutions of a block.
        in_channels: Channels of the images.
        init_cfg: Initialisation config; normal Kaiming by fan-out by default.

    Raises:
        ValueError: If ``depth`` is not 6 n + 4, ``widen_factor`` not positive, or ``dropout`` not from 0 to below 1.
    """

    def __init__(
        self,
        depth: int = 28,
        widen_factor: int = 10,
        dropout: float = 0.0,
        *,
        in_channels: int = 3,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or _INIT)
        if depth < 10 or depth % 6 != 4:
            raise ValueError(f'`depth` must be 6 n + 4 with n blocks in each stage, such as 28, got {depth!r}')
        if widen_factor < 1:
            raise ValueError(f'`widen_factor` must be at least 1, got {widen_factor!r}')
        if not 0 <= dropout < 1:
            raise ValueError(f'`dropout` must be at least 0 and below 1, got {dropout!r}')
        width, blocks = 16, []
        self.stem = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        for stage, channels in enumerate((16 * widen_factor, 32 * widen_factor, 64 * widen_factor)):
            for number in range(depth // 6):
                stride = 2 if stage > 0 and number == 0 else 1
                blocks.append(_Block(width, channels, stride, dropout))
                width = channels
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Map images (B, in_channels, H, W) to a 1-tuple of maps (B, 64 * widen_factor, H / 4, W / 4), rounded up."""
        return (F.relu(self.norm(self.blocks(self.stem(images)))),)


class _Block(nn.Module):
    """Two pre-activated 3x3 convolutions beside a shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        changes = stride != 1 or in_channels != channels
        self.shortcut = nn.Conv2d(in_channels, channels, 1, stride, bias=False) if changes else None

    def forward(self, maps: Tensor) -> Tensor:
        active = F.relu(self.norm1(maps))
        beside = maps if self.shortcut is None else self.shortcut(active)
        return beside + self.conv2(self.dropout(F.relu(self.norm2(self.conv1(active)))))
