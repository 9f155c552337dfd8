"""Describe what changes the pixels of an image on its way to the network, which is part of a model's identity.

What does not change pixels (paths, storage backends, packing, arguments that are given their default) is left out, so
that the same preprocessing written in two ways is the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from mmfct.registry import TRANSFORMS
from mmfct.utils.dataset_configs import type_name
from mmfct.utils.fingerprint import plain_json

# Arguments of transforms that say where files are and what is packed beside the pixels.
_NOT_OF_PIXELS = frozenset(['type', 'backend_args', 'file_client_args', 'ignore_empty', 'meta_keys', 'algorithm_keys'])
# Data preprocessors that do nothing but swap channels, normalise and pad.
_NORMALIZING = frozenset(
    [
        'BaseDataPreprocessor',
        'ClsDataPreprocessor',
        'ImgDataPreprocessor',
        'SegDataPreProcessor',
        'SelfSupDataPreprocessor',
    ]
)
_SWAPS = ('to_rgb', 'bgr_to_rgb', 'rgb_to_bgr')


def describe_pipeline(pipeline: Sequence[Any]) -> list[Any]:
    """Describe the transforms of a pipeline that change pixels, as plain JSON.

    Args:
        pipeline: Transforms, as configs or callables.
    """
    transforms = [_describe_transform(transform) for transform in pipeline]
    return [transform for transform in transforms if not _type_of(transform).startswith('Pack')]


def describe_normalization(preprocessor: Mapping[str, Any] | None) -> dict[str, Any]:
    """Describe what a data preprocessor does to pixels, as plain JSON; ``num_classes`` and the like are left out.

    Args:
        preprocessor: Config of the data preprocessor; ``None`` for none.
    """
    if preprocessor is None:
        return {}
    name = type_name(preprocessor)
    if name not in _NORMALIZING:
        entries = {key: value for key, value in preprocessor.items() if key not in ('type', 'num_classes')}
        return {'type': name, **{key: plain_json(value) for key, value in entries.items()}}
    described: dict[str, Any] = {
        key: [float(value) for value in preprocessor[key]]
        for key in ('mean', 'std')
        if preprocessor.get(key) is not None
    }
    if any(preprocessor.get(key) for key in _SWAPS):
        described['swap_channels'] = True
    if preprocessor.get('pad_size_divisor', 1) != 1:
        described['pad_size_divisor'] = preprocessor['pad_size_divisor']
    return described


def _describe_transform(transform: Any) -> Any:
    if not (isinstance(transform, Mapping) and 'type' in transform):
        kind = transform if inspect.isroutine(transform) or inspect.isclass(transform) else type(transform)
        return dict(type=kind.__qualname__)
    name = type_name(transform)
    defaults = _defaults(transform['type'])
    described: dict[str, Any] = dict(type=name)
    for key, value in sorted(transform.items()):
        if key in _NOT_OF_PIXELS:
            continue
        plain = plain_json(value)
        if key not in defaults or plain != plain_json(defaults[key]):
            described[key] = describe_pipeline(value) if key == 'transforms' and isinstance(value, list) else plain
    return described


def _type_of(transform: Any) -> str:
    return str(transform['type'])


def _defaults(kind: Any) -> dict[str, Any]:
    """Return the defaults of a transform's arguments; none if its class is not known."""
    found = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
    if found is None:
        return {}
    arguments = inspect.signature(found.__init__).parameters.values()
    return {argument.name: argument.default for argument in arguments if argument.default is not argument.empty}
