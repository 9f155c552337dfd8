"""Turn a trained transform into the one file that an upgrade needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mmfct.apis.config import load_config
from mmfct.apis.gallery_data import gallery_images, images_of
from mmfct.apis.gallery_encoders import identities
from mmfct.apis.weights import load_weights
from mmfct.models.checkpoint import load_state_dict
from mmfct.models.forward_transform import ForwardTransform
from mmfct.models.frozen_encoders import FrozenEncoders
from mmfct.models.heads.transformation_head import TransformationHead
from mmfct.registry import MODELS
from mmfct.retrieval import fingerprint_state_dict
from mmfct.retrieval.transform_description import TransformDescription
from mmfct.retrieval.transform_file import write_transform

_PARTS = ('old_branch', 'side_branch', 'mixer')


def export_transform(
    filename: str, checkpoint: str, out: str | Path, *, cfg_options: dict[str, Any] | None = None
) -> TransformDescription:
    """Write a transform with all that an upgrade must know; the training is not needed any more.

    Args:
        filename: Config of the transform's stage; the checkpoints of its encoders must be there, for their
            fingerprints.
        checkpoint: Checkpoint of the transform. What was measured with it is taken from ``compatibility.json``
            beside it.
        out: File to write, ``.safetensors``.
        cfg_options: Values by dotted key, see `load_config`.

    Returns:
        What the file says about itself.

    Raises:
        FileNotFoundError: If the config or a checkpoint is missing.
        ValueError: If the config is none of a transform's stage, or a checkpoint is of another model.
    """
    config = load_config(filename, cfg_options)
    init_default_scope(config.get('default_scope', 'mmengine'))
    encoders = config.model.get('encoders')
    if encoders is None or encoders.get('new') is None:
        raise ValueError(f'config {filename!r} must be that of a transform, with `model.encoders`, got none')
    state_dict = load_state_dict(checkpoint)
    model = MODELS.build(config.model)
    if not isinstance(getattr(model, 'head', None), TransformationHead) or not isinstance(model, ForwardTransform):
        raise ValueError(f'config {filename!r} must have a `mmfct.TransformationHead`, got {type(model).__name__}')
    load_weights(model, state_dict, checkpoint)
    head = model.head
    network = MODELS.build({'type': 'mmfct.FrozenEncoders', **encoders})
    models = identities(network, encoders)
    tensors = {
        name: value
        for name, value in head.state_dict().items()
        if name.startswith((*_PARTS, 'uncertainty')) and not name.endswith('num_batches_tracked')
    }
    quality = Path(checkpoint).with_name('compatibility.json')
    description = TransformDescription(
        name=Path(filename).stem,
        fingerprint=fingerprint_state_dict(tensors),
        old=models['old'],
        new=models['new'],
        side=models.get('side'),
        layers={part: _widths(getattr(head, part)) for part in _PARTS},
        norm_eps=head.mixer[1].eps,
        with_uncertainty=head.uncertainty is not None,
        training_data=_training_data(config),
        quality=json.loads(quality.read_text()) if quality.is_file() else None,
        backfill=_backfill(config, network),
    )
    write_transform(out, description, tensors)
    return description


def _widths(layers: nn.Sequential) -> list[int]:
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    return [linear[0].in_features, *(layer.out_features for layer in linear)]


def _training_data(config: Config) -> dict[str, Any]:
    """Describe the training set: its settings without those of the pipeline."""
    table = config.train_dataloader.dataset
    settings = {name: value for name, value in images_of(table).items() if name != 'pipeline'}
    settings |= dict(num_views=table['num_views']) if 'num_views' in table else {}
    return json.loads(json.dumps(settings, default=repr))


def _backfill(config: Config, network: FrozenEncoders) -> dict[str, Any] | None:
    """Count the multiplications of the new model for an image of the test; ``None`` where there is none here."""
    try:
        image: Tensor = gallery_images(config)[0]
    except (FileNotFoundError, ValueError):
        return None
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.encoders['new'](image[None])
    return dict(macs=counter.get_total_flops() // 2, input_shape=list(image.shape))
