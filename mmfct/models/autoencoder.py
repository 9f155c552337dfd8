"""An autoencoder whose code serves as side-information."""

from __future__ import annotations

from mmengine.model import BaseModel
from torch import Tensor, nn

from mmfct.registry import MODELS


@MODELS.register_module()
class Autoencoder(BaseModel):
    """Learn a code from which the image can be reconstructed: side-information without labels.

    This is one of the sources of side-information that FCT compares (arXiv 2112.02805, section 4). After training,
    `FrozenEncoder` uses the backbone and the neck; the decoder is discarded.

    The decoder is a linear layer to a map of an eighth of the image's size, followed by three transposed convolutions.
    The loss is the mean squared error of the normalised image.

    Args:
        backbone: Config of the backbone.
        code_dims: Width of the code.
        image_size: Height and width of the images; a multiple of 8.
        image_channels: Channels of the images.
        decoder_channels: Channels of the decoder's first map; the next ones have a half and a quarter.
        neck: Config of the neck, whose last output is the code; ``None`` for `LastOutput`.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: Initialisation config.

    Raises:
        ValueError: If ``image_size`` is no multiple of 8, or the images have another size.
    """

    def __init__(
        self,
        backbone: dict,
        code_dims: int,
        image_size: int,
        *,
        image_channels: int = 3,
        decoder_channels: int = 64,
        neck: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        if image_size < 8 or image_size % 8:
            raise ValueError(f'`image_size` must be a multiple of 8, got {image_size!r}')
        self.image_size = image_size
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck or dict(type='mmfct.LastOutput'))
        widths = [decoder_channels, decoder_channels // 2, decoder_channels // 4]
        start = (widths[0], image_size // 8, image_size // 8)
        self.decoder = nn.Sequential(nn.Linear(code_dims, start[0] * start[1] * start[2]), nn.Unflatten(1, start))
        for fan_in, fan_out in zip(widths, [*widths[1:], image_channels], strict=True):
            self.decoder.extend([nn.BatchNorm2d(fan_in), nn.ReLU(), nn.ConvTranspose2d(fan_in, fan_out, 4, 2, 1)])

    def forward(self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor'):
        """Return the code (B, S) with ``mode='tensor'``, a dict of losses with ``'loss'``.

        Args:
            inputs: Normalised images (B, C, H, W).
            data_samples: Not used, because no labels are needed.
            mode: ``'tensor'`` or ``'loss'``.

        Raises:
            ValueError: If ``mode`` is unknown, or the images have another size.
        """
        if mode not in ('tensor', 'loss'):
            raise ValueError(f"`mode` must be 'tensor' or 'loss', got {mode!r}")
        if inputs.shape[-2:] != (self.image_size, self.image_size):
            raise ValueError(f'images must be {self.image_size} pixels high and wide, got {tuple(inputs.shape[-2:])}')
        code = self.neck(self.backbone(inputs))
        code = code[-1] if isinstance(code, (tuple, list)) else code
        if mode == 'tensor':
            return code
        return dict(loss=(self.decoder(code) - inputs).square().mean())
