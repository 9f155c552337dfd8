"""Load weights of the FCT reference: from its names of weights to ours.

The reference publishes TorchScript. Its state dicts name the weights of a backbone as torchvision does, behind
``model.``, and write the transformation as blocks ``conv`` and ``normalizer`` of 1x1 convolutions in ``p1`` (old),
``p2`` (side) and ``mixer``; FastFill's add ``uncertainty_head``. Functions that take ``module`` and ``prefix`` are
pre-hooks of ``load_state_dict``: they change the state dict in place, as torch expects, and leave names alone that are
not the reference's.
"""

from __future__ import annotations

import re

from torch import Tensor, nn

from mmfct.retrieval.transform.layers import BLOCK_LAYERS, BN, LINEAR, MIXER, OLD_BRANCH, SIDE_BRANCH, UNCERTAINTY

_BACKBONE = 'model.'
_CLASSIFIER = 'fc.'
_PARTS = {'p1': OLD_BRANCH, 'p2': SIDE_BRANCH, 'mixer': MIXER}
_BLOCK = re.compile(r'(p1|p2|mixer)\.(\d+)\.(conv|normalizer)\.(\w+)')
_LAYER = {'conv': LINEAR, 'normalizer': BN}
_UNCERTAINTY = re.compile(r'uncertainty_head\.(weight|bias)')
# Parts of a transformed old model.
_TRANSFORMATION, _ENCODERS = 'transformation.', ('old_model.', 'side_info_model.')


def rename_backbone_keys(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_) -> None:
    """Give the weights of a backbone the names of the host's ResNet, and leave the classifier out."""
    reference = prefix + _BACKBONE
    for key in [key for key in state_dict if key.startswith(reference)]:
        value = state_dict.pop(key)
        name = key.removeprefix(reference)
        if not name.startswith(_CLASSIFIER):
            state_dict[prefix + name] = value


def place_reference_backbone(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of a whole model where ``state_dict`` is that of a backbone of the reference."""
    if state_dict and all(name.startswith(_BACKBONE) for name in state_dict):
        return {f'backbone.{name}': value for name, value in state_dict.items()}
    return state_dict


def rename_transformation_keys(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_) -> None:
    """Give the weights of a transformation the names of `TransformationHead`; (out, in, 1, 1) becomes (out, in)."""
    for key in [key for key in state_dict if key.startswith(prefix)]:
        name = _our_name(key.removeprefix(prefix))
        if name is not None:
            value = state_dict.pop(key)
            state_dict[prefix + name] = value.flatten(1) if value.dim() == 4 else value


def _our_name(name: str) -> str | None:
    """Return our name of a weight of the reference's transformation; ``None`` if it is not the reference's."""
    if match := _BLOCK.fullmatch(name):
        part, block, layer, weight = match.groups()
        return f'{_PARTS[part]}.{BLOCK_LAYERS * int(block) + _LAYER[layer]}.{weight}'
    match = _UNCERTAINTY.fullmatch(name)
    return match and f'{UNCERTAINTY}.{match[1]}'


def place_reference_transformation(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_) -> None:
    """Put the weights of a transformation, alone or in a transformed old model, where `ForwardTransform` has h."""
    for key in [key for key in state_dict if key.startswith(prefix)]:
        name = key.removeprefix(prefix)
        if name.startswith(_ENCODERS):
            del state_dict[key]
        elif _our_name(name.removeprefix(_TRANSFORMATION)):
            state_dict[f'{prefix}head.{name.removeprefix(_TRANSFORMATION)}'] = state_dict.pop(key)
