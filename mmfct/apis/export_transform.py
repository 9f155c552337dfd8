"""Write a trained transformation as a transform file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from torch import nn

from mmfct.apis.extract_gallery.encoder import load_model_config, used_encoders
from mmfct.apis.extract_gallery.images import GalleryImages
from mmfct.apis.extract_gallery.models import identify_models
from mmfct.apis.training.record import FINAL_CHECKPOINT, check_inputs
from mmfct.models import FrozenEncoders, TransformationHead
from mmfct.registry import MODELS
from mmfct.retrieval.transform.file import TransformDescription, write_transform
from mmfct.utils.checkpoint import load_state_dict, load_weights

_PROBE = 16  # images with which the new model is timed


def export_transform(
    filename: str, checkpoint: str, out: str, *, cfg_options: dict[str, Any] | None = None
) -> TransformDescription:
    """Write a trained h with all that `mmfct.retrieval.transform.apply.Transform` needs to apply it.

    The file also states what was measured: the content of ``compatibility.json``, which lies beside ``final.pth``,
    or, for any other checkpoint, in the folder where `mmfct test` writes its report.

    Args:
        filename: Config of a `mmfct.ForwardTransform`.
        checkpoint: Its checkpoint.
        out: The file.
        cfg_options: Options that the training had.

    Returns:
        What the file says about itself.

    Raises:
        FileNotFoundError: If the config, the checkpoint or one of an encoder's is missing.
        ValueError: If the config is another model's, a checkpoint is of another model or damaged, or h was trained
            with other encoders than the config's files hold now.
    """
    config = load_model_config(filename, cfg_options)
    if config.model.get('encoders') is None or 'new' not in config.model.encoders:
        raise ValueError(
            f'{filename!r} must be the config of a transformation with `model.encoders` of old and new, got '
            f'{config.model.get("type")!r}'
        )
    head = load_transformation(config, checkpoint)
    check_inputs(checkpoint, config.model)
    network = FrozenEncoders(**used_encoders(config.model))
    images = None if config.get('test_dataloader') is None else GalleryImages(config)
    models = identify_models(config, network, images)
    seconds = None if images is None else _seconds_per_image(network.encoders['new'], images, get_device())
    path = Path(checkpoint)
    measured = path.parent if path.name == FINAL_CHECKPOINT else path.parent / f'test_{path.stem}'
    quality = measured / 'compatibility.json'
    description = TransformDescription(
        old=models['old'],
        new=models['new'],
        side=models.get('side'),
        old_dims=head.old_dims,
        side_dims=head.side_dims,
        new_dims=head.new_dims,
        training=dict(config=Path(filename).name, epochs=config.train_cfg.max_epochs),
        quality=json.loads(quality.read_text()) if quality.is_file() else {},
        backfill_seconds=seconds,
    )
    write_transform(out, head.state_dict(), description)
    print_log(f'Transform {out}: {description.old} -> {description.new}', 'current')
    return description


def load_transformation(config: Config, checkpoint: str) -> TransformationHead:
    """Load a trained transformation that an exported file can express.

    Args:
        config: Config of a `mmfct.ForwardTransform`.
        checkpoint: Its checkpoint.

    Raises:
        FileNotFoundError: If the checkpoint is missing.
        ValueError: If the checkpoint is damaged or of another model, or the head maps queries too.
    """
    state_dict = load_state_dict(checkpoint)
    model = MODELS.build(config.model)
    load_weights(model, state_dict, checkpoint)
    head: TransformationHead = model.head
    if head.query_map is not None:
        raise ValueError(
            f'{type(head).__name__} maps queries too, which an exported file cannot express: it only serves '
            'comparisons; export a `mmfct.TransformationHead`'
        )
    return head


def _seconds_per_image(encoder: nn.Module, images: GalleryImages, device: str) -> float:
    """Time the encoder alone, without reading and decoding images; the fastest of three runs."""
    encoder = encoder.to(device)
    batch = torch.stack([images[index % len(images)]['inputs'] for index in range(_PROBE)]).to(device)
    times = []
    for _ in range(4):
        started = time.perf_counter()
        with torch.no_grad():
            encoder(batch).cpu()  # waits until a GPU is done
        times.append(time.perf_counter() - started)
    return min(times[1:]) / _PROBE
