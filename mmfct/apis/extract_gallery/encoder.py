"""Load the encoder that turns images into items of a gallery, and identify its models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmfct.apis.extract_gallery.preprocessing import describe_normalization
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.record import FINAL_CHECKPOINT
from mmfct.models.item_encoder import ItemEncoder
from mmfct.retrieval.gallery.provenance import ModelIdentity
from mmfct.utils.checkpoint import checkpoint_file
from mmfct.utils.fingerprint import fingerprint_json, fingerprint_state_dict, plain_json


@dataclass(frozen=True)
class GalleryEncoder:
    """An encoder and the models that it consists of.

    Args:
        encode: Computes the embedding and the side-information of raw images (B, 3, H, W).
        embedding: The embedding model.
        side_info: The model of the side-information, or ``None``.
        preprocessing: Hash of the configs of their data preprocessors, which the fingerprints of weights leave out.
    """

    encode: ItemEncoder
    embedding: ModelIdentity
    side_info: ModelIdentity | None
    preprocessing: str


def load_model_config(filename: str, cfg_options: dict[str, Any] | None) -> Config:
    """Load the config of a model and set its default scope; arguments and errors as of `load_config`."""
    config = TrainingOptions(cfg_options=cfg_options or {}).load(filename)
    init_default_scope(config.get('default_scope', 'mmengine'))
    return config


def load_encoder(
    config: Config, checkpoint: str, *, role: str = 'old', side_checkpoint: str | None = None, with_side: bool = True
) -> GalleryEncoder:
    """Load the encoder of a config with the weights of a checkpoint.

    Args:
        config: A config of `mmfct.ForwardTransform`, whose encoders are used; or of a classifier of mmpretrain, whose
            backbone and neck make the embedding.
        checkpoint: Checkpoint of the embedding model.
        role: Which encoder of a transformation's config: ``'old'``, with side-information, or ``'new'``, without.
        side_checkpoint: Checkpoint of the side-information; ``None`` for the one that the config names.
        with_side: Whether to compute side-information, where the config has any.

    Raises:
        FileNotFoundError: If a checkpoint is missing.
        ValueError: If a checkpoint is of another model, or the config has no such encoder.
    """
    encoders = config.model.get('encoders')
    side = None
    if encoders is None:
        embedding = _encoder_of_model(config)
    else:
        if role not in ('old', 'new') or role not in encoders:
            raise ValueError(f"`role` must be 'old' or 'new', one of the config's encoders, got {role!r}")
        embedding = encoders[role]
        if role == 'old' and with_side and encoders.get('side') is not None:
            side = dict(encoders['side'])
            if side_checkpoint is not None:
                side = _with_weights(side, side_checkpoint)
    embedding = _with_weights(embedding, checkpoint)
    if side is None and side_checkpoint is not None:
        raise ValueError(
            '`side_checkpoint` needs side-information in the config, `model.encoders.side`, and the role of the old '
            f'model, got {side_checkpoint!r}'
        )
    encode = ItemEncoder.build(embedding, side)
    return GalleryEncoder(
        encode,
        embedding=identify(encode.encoder, embedding),
        side_info=identify(encode.side, side) if encode.side is not None and side is not None else None,
        preprocessing=fingerprint_json(plain_json([_preprocessors(embedding), side and _preprocessors(side)])),
    )


def used_encoders(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the encoders by role that a transformation reads, given by the config of its `mmfct.ForwardTransform`."""
    return {role: cfg for role, cfg in model['encoders'].items() if role != 'side' or model.get('use_side', True)}


def _encoder_of_model(config: Config) -> dict[str, Any]:
    """Return the config of the encoder in a classifier or a self-supervised model."""
    if 'backbone' not in config.model:
        raise ValueError(
            f'{config.filename!r} must be the config of a transformation or of a model with a backbone, '
            f'got {config.model.get("type")!r}'
        )
    preprocessor = config.model.get('data_preprocessor') or config.get('data_preprocessor')
    if preprocessor is not None:
        preprocessor = dict(dict(type='ClsDataPreprocessor'), **preprocessor)  # as mmpretrain's models do
    neck = config.model.get('neck')
    if neck is not None and 'projector' in neck:
        neck = dict(neck, projector=None)  # the space of a contrastive loss, thrown away after training
    return dict(backbone=config.model.backbone, neck=neck, data_preprocessor=preprocessor)


def _preprocessors(encoder: Mapping[str, Any]) -> list[Any]:
    """Return the configs of the data preprocessors of an encoder; of a joined one, that of each part."""
    return [part.get('data_preprocessor') for part in encoder.get('encoders', [encoder])]


def _with_weights(encoder: dict, checkpoint: str) -> dict:
    """Return the config of an encoder with the weights of ``checkpoint``, which for TorchScript is the backbone."""
    if 'checkpoint' in encoder.get('backbone', {}):
        return dict(encoder, backbone=dict(encoder['backbone'], checkpoint=checkpoint))
    return dict(encoder, checkpoint=checkpoint)


def identify(encoder: nn.Module, config: Mapping[str, Any]) -> ModelIdentity:
    """Identify an encoder by the fingerprint of its weights, its normalisation and the name of its checkpoint.

    A checkpoint that has the name of every finished training, ``final.pth``, is called after its folder.

    Args:
        encoder: The encoder.
        config: Config of the encoder; a `JoinedEncoder` gets the names of all its parts.
    """
    normalization = [describe_normalization(preprocessor) for preprocessor in _preprocessors(config)]
    return ModelIdentity(
        _name(config), fingerprint_state_dict(encoder.state_dict()), dict(normalization=normalization)
    )


def _name(config: Mapping[str, Any]) -> str:
    if 'encoders' in config:
        return '+'.join(map(_name, config['encoders']))
    # Weights come in one of three ways: with the model, as TorchScript, or with the host's backbone.
    backbone = config.get('backbone', {})
    checkpoint = config.get('checkpoint') or backbone.get('checkpoint') or backbone['init_cfg']['checkpoint']
    path = checkpoint_file(checkpoint)
    return path.parent.name if path.name == FINAL_CHECKPOINT else path.stem
