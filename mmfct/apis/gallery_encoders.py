"""Encoders for a gallery, from the configs that models were trained with."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmfct.models.frozen_encoders import FrozenEncoders
from mmfct.registry import MODELS
from mmfct.retrieval import fingerprint_state_dict
from mmfct.retrieval.provenance import ModelIdentity

ROLES = ('old', 'new')


def gallery_encoders(
    config: Config,
    checkpoint: str,
    *,
    role: str | None = None,
    side_config: Config | None = None,
    side_checkpoint: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Say which encoders a gallery needs: configs of `FrozenEncoder` by ``'old'`` and, where there is one, ``'side'``.

    Args:
        config: Config of the model, or of the transform's stage, whose ``model.encoders`` has both models and the
            side-information, which goes with the old model.
        checkpoint: Checkpoint of the model.
        role: For the transform's stage, which of its models it is; ``None`` for the one that has this checkpoint.
        side_config: Config of the model of the side-information, where ``config`` is that of a model.
        side_checkpoint: Its checkpoint.

    Raises:
        ValueError: If the arguments do not fit one another.
    """
    if (side_config is None) != (side_checkpoint is None):
        raise ValueError(
            f'`side_config` and `side_checkpoint` must be given together, got '
            f'{side_config and side_config.filename!r} and {side_checkpoint!r}'
        )
    encoders = config.model.get('encoders')
    if encoders is None:
        if role is not None:
            raise ValueError(f'`role` is for the config of a transform, which has `model.encoders`, got {role!r}')
        chosen = dict(old=_encoder(config, checkpoint))
        if side_config is not None and side_checkpoint is not None:
            chosen['side'] = _encoder(side_config, side_checkpoint)
        return chosen
    if side_config is not None:
        raise ValueError(
            f'`side_config` must be left out with the config of a transform, which says what its side-information is, '
            f'got {side_config.filename!r}'
        )
    if role is None:
        role = _role_of(encoders, checkpoint)
    if role not in ROLES or encoders.get(role) is None:
        raise ValueError(f"`role` must be 'old' or 'new' and have an encoder in the config, got {role!r}")
    chosen = dict(old=_with_checkpoint(encoders[role], checkpoint))
    if role == 'old' and encoders.get('side') is not None:
        chosen['side'] = copy.deepcopy(encoders.side)
    return chosen


def identities(network: FrozenEncoders, encoders: dict[str, dict[str, Any]]) -> dict[str, ModelIdentity]:
    """Identify every encoder: by the name of its training and the fingerprint of its weights.

    Args:
        network: The encoders.
        encoders: Their configs, by role.
    """
    return {
        role: ModelIdentity(_name(encoders[role]), fingerprint_state_dict(encoder.state_dict()))
        for role, encoder in network.encoders.items()
    }


def _role_of(encoders: dict, checkpoint: str) -> str:
    for role in ROLES:
        known = _checkpoint_of(encoders[role]) if encoders.get(role) else None
        if known and Path(known).resolve() == Path(checkpoint).resolve():
            return role
    raise ValueError(
        "`role` must be 'old' or 'new' for a checkpoint that the config does not name, got None and "
        f'{checkpoint!r}; it is that of an embedding model, not of the transform'
    )


def _encoder(config: Config, checkpoint: str) -> dict[str, Any]:
    """Return the config of the encoder inside a training's model."""
    model = copy.deepcopy(config.model)
    neck = model.get('neck')
    if neck is not None and 'projector' in neck:  # side-information: what comes before the contrastive space
        neck.projector = None
    elif neck is not None and _is_self_supervised(model):  # the neck is the contrastive space itself
        neck = None
    preprocessor = model.get('data_preprocessor') or config.get('data_preprocessor')
    if preprocessor is not None:
        preprocessor.setdefault('type', 'ClsDataPreprocessor')  # as mmpretrain's models do
    return dict(backbone=model.backbone, neck=neck, data_preprocessor=preprocessor, checkpoint=checkpoint)


def _is_self_supervised(model: dict) -> bool:
    from mmpretrain.models.selfsup.base import BaseSelfSupervisor

    with MODELS.switch_scope_and_registry(None) as registry:  # that of the default scope, as when it is built
        kind = registry.get(model['type']) if isinstance(model['type'], str) else model['type']
    return isinstance(kind, type) and issubclass(kind, BaseSelfSupervisor)


def _checkpoint_of(encoder: dict[str, Any]) -> str | None:
    return encoder.get('checkpoint') or encoder.get('backbone', {}).get('checkpoint')


def _with_checkpoint(encoder: dict[str, Any], checkpoint: str) -> dict[str, Any]:
    """Give an encoder other weights, where it has them: `TorchScriptBackbone` is its own checkpoint."""
    encoder = copy.deepcopy(encoder)
    (encoder if 'checkpoint' not in encoder['backbone'] else encoder['backbone'])['checkpoint'] = checkpoint
    return encoder


def _name(encoder: dict[str, Any]) -> str:
    """Name an encoder after its file, or the folder of its training where the file is ``final.pth`` and its like."""
    file = _checkpoint_of(encoder)
    if file is None:
        return str(encoder['backbone']['type'])
    path = Path(file).resolve()
    generic = path.stem in ('final', 'latest') or path.stem.startswith(('epoch_', 'iter_', 'best_'))
    return path.parent.name if generic else path.stem
