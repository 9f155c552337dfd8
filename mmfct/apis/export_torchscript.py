"""Write trained models as TorchScript files, with the signatures of the FCT reference."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from torch import Tensor, nn

from mmfct.apis.export_transform import load_transformation
from mmfct.apis.extract_gallery.encoder import load_encoder, load_model_config, used_encoders
from mmfct.apis.training.record import check_inputs
from mmfct.models import JoinedEncoder, TransformationHead
from mmfct.models.item_encoder import ItemEncoder
from mmfct.utils.files import replaced_when_done

_DEFAULT_IMAGE_SIZE = 224


def export_torchscript(
    filename: str,
    checkpoint: str,
    out: str,
    *,
    with_encoders: bool = False,
    image_size: int | None = None,
    cfg_options: dict[str, Any] | None = None,
) -> tuple[int, ...]:
    """Write a trained model as a TorchScript file, which runs without this project and its hosts.

    - A model with a backbone becomes ``images (B, 3, H, W) -> (B, D, 1, 1)``: what `mmfct.TorchScriptBackbone` loads.
    - A transformation becomes ``(old (B, D, 1, 1), side (B, S, 1, 1)) -> (B, D', 1, 1)``; without side-information
      both inputs are the old embedding.
    - With ``with_encoders``, a transformation becomes the transformed old model, ``images -> (B, D', 1, 1)``.

    The caller must normalise images as the data preprocessor of the config does. The traced model is compared with the
    original on another number of images.

    Args:
        filename: Config of a `mmfct.ForwardTransform`, or of a model with a backbone.
        checkpoint: Its checkpoint.
        out: The file.
        with_encoders: Whether to include the old model and the side-information of a transformation.
        image_size: Height and width of the images for tracing; ``None`` for ``image_size`` in the config, or 224. A
            traced convolutional network accepts other sizes, a vision transformer does not.
        cfg_options: Options that the training had.

    Returns:
        Shape of the output for one item.

    Raises:
        FileNotFoundError: If the config or a checkpoint is missing.
        ValueError: If a checkpoint is of another model, or the model cannot be expressed this way.
    """
    config = load_model_config(filename, cfg_options)
    size = config.get('image_size', _DEFAULT_IMAGE_SIZE) if image_size is None else image_size
    if size < 1:
        raise ValueError(f'`image_size` must be at least 1, got {image_size!r}')
    if config.model.get('encoders') is None:
        if with_encoders:
            raise ValueError(f'`with_encoders` needs a config with `model.encoders`, got {filename!r}')
        module: nn.Module = BackboneScript(load_encoder(config, checkpoint).encode.encoder)
        inputs = [_images(module, size)]
    else:
        module, inputs = _transformation(config, checkpoint, with_encoders, size)
    shape = _write(module.eval(), inputs, Path(out))
    print_log(f'TorchScript {out}: {[tuple(value.shape[1:]) for value in inputs]} -> {shape}', 'current')
    return shape


def _transformation(config: Config, checkpoint: str, with_encoders: bool, size: int) -> tuple[nn.Module, list[Tensor]]:
    """Return a transformation, or a transformed old model, and inputs for tracing it."""
    head = load_transformation(config, checkpoint)
    transformation = TransformationScript(head)
    if not with_encoders:
        return transformation, [torch.randn(3, width, 1, 1) for width in (head.old_dims, head.side_dims)]
    check_inputs(checkpoint, config.model)
    encoders = used_encoders(config.model)
    module = TransformedModelScript(ItemEncoder.build(encoders['old'], encoders.get('side')), transformation)
    return module, [_images(module, size)]


def _images(module: nn.Module, size: int) -> Tensor:
    """Return three random images with the number of channels that the first convolution takes."""
    channels = [weight.shape[1] for weight in module.state_dict().values() if weight.dim() == 4]
    return torch.randn(3, channels[0] if channels else 3, size, size)


def _write(module: nn.Module, inputs: list[Tensor], out: Path) -> tuple[int, ...]:
    """Trace the module, compare the result on other inputs, and write it atomically."""
    with torch.no_grad(), warnings.catch_warnings():
        # Checks of shapes in the hosts become constants, which the comparison covers; torch recommends other formats.
        warnings.simplefilter('ignore', torch.jit.TracerWarning)
        warnings.filterwarnings('ignore', message='.*torch.jit', category=FutureWarning)
        warnings.filterwarnings('ignore', message='.*torch.jit', category=DeprecationWarning)
        script = torch.jit.trace(module, tuple(inputs), check_trace=False)
        others = [torch.randn(2, *value.shape[1:]) for value in inputs]
        expected, found = module(*others), script(*others)
        if found.shape != expected.shape or not torch.allclose(found, expected, rtol=1e-4, atol=1e-5):
            raise ValueError(f'the model cannot be traced: {out} would compute something else for two items')
        out.parent.mkdir(parents=True, exist_ok=True)
        with replaced_when_done(out) as temporary:
            torch.jit.save(script, str(temporary))
    return tuple(expected.shape[1:])


class BackboneScript(nn.Module):
    """Normalised images (B, 3, H, W) -> embedding (B, D, 1, 1); weights are named as in a checkpoint."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.backbone: nn.Module = encoder.backbone
        self.neck: nn.Module = encoder.neck
        self._embed = encoder.embed

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings of images."""
        return self._embed(self.backbone(images))[:, :, None, None]


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
        items: The old model and its side-information, if there is any.
        transformation: The transformation.

    Raises:
        ValueError: If the two normalise images differently, because they share one input, or the side-information
            comes from several models.
    """

    def __init__(self, items: ItemEncoder, transformation: TransformationScript) -> None:
        super().__init__()
        old, side = items.encoder, items.side
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
    """Describe what a data preprocessor of the hosts does to the values of an image."""
    buffers = {name: getattr(preprocessor, name, None) for name in ('mean', 'std')}
    values = {name: value.flatten().tolist() if torch.is_tensor(value) else value for name, value in buffers.items()}
    # mmpretrain and mmengine use different attributes for swapped channels.
    swapped = getattr(preprocessor, '_channel_conversion', getattr(preprocessor, 'to_rgb', False))
    return {**values, 'channels swapped': bool(swapped)}


def _alike(first: nn.Module, second: nn.Module) -> bool:
    return _normalization(first) == _normalization(second)
