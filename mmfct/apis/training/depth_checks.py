"""Check the pipelines of data sets with depth maps before anything is trained or tested."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmfct.utils.dataset_configs import dataset_chains, type_name

# Transforms of the hosts that move the image and the label map, but leave a depth map where it was, or mix its values
# with unknown ones.
_LOSE_DEPTH = ('Albu', 'CenterCrop', 'Pad', 'RandomResizedCrop', 'RandomRotFlip', 'TenCrop')
_LOAD_DEPTH = ('LoadDisparity', 'LoadDepthAnnotation', 'LoadSurreal')
# Those that zoom every image by another factor, and leave the values of its depth map.
_ZOOM = ('RandomChoiceResize', 'RandomResize')


def check_depth(config: Config, loaders: Sequence[str]) -> None:
    """Check that depth maps follow their images; no image is read.

    The log warns of an evaluation whose images are resized otherwise than those of the training, while depth stays.

    Args:
        config: A config with data loaders.
        loaders: Loaders to check.

    Raises:
        ValueError: If a pipeline with depth maps has a transform that would leave them behind, a random zoom without a
            `mmfct.ZoomDepth` after it, or a factor of its values that the packing leaves out.
    """
    tasks = config.model.get('tasks') if config.model.get('type') == 'mmfct.MultiTaskSegmentor' else None
    depths = [task for task in (tasks or {}).values() if type_name(task) == 'DepthTask']
    for loader in loaders:
        for pipeline in _pipelines(config, loader):
            _check_moved(pipeline, learns_depth=bool(depths))
            if depths:
                _check_rescaled(pipeline)
    if any(not task.get('signed') for task in depths):  # depth relative to a point stays
        _compare_sizes(config, loaders)


def _pipelines(config: Config, loader: str) -> list[Sequence[Any]]:
    """Return the pipelines of the data sets of a loader, and of their wrappers."""
    if config.get(loader) is None:
        return []
    chains = dataset_chains(config[loader].dataset)
    return [part['pipeline'] for chain in chains for part in chain if part.get('pipeline')]


def _compare_sizes(config: Config, loaders: Sequence[str]) -> None:
    training = [_resizes(pipeline) for pipeline in _pipelines(config, 'train_dataloader')]
    for loader in [name for name in loaders if name != 'train_dataloader']:
        for pipeline in _pipelines(config, loader):
            sizes = _resizes(pipeline)
            if training and sizes not in training:
                text = (
                    f'`{loader}` resizes images by {sizes or "nothing"}, the training by {training[0] or "nothing"}, '
                    'and depth stays as it is: a network that sees everything larger or smaller than in training '
                    "predicts another depth; use the same, or put dict(type='mmfct.ZoomDepth') right after each"
                )
                print_log(text, 'current', logging.WARNING)


def _resizes(pipeline: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the fixed resizes of a pipeline, before a map is loaded or after, that depth does not follow."""
    steps = [step for step in pipeline if isinstance(step, dict) and 'type' in step]
    following = [*(type_name(step) for step in steps[1:]), '']
    return [
        {name: _plain(value) for name, value in step.items() if name != 'type'}
        for step, after in zip(steps, following, strict=False)
        if type_name(step) == 'Resize' and after != 'ZoomDepth'
    ]


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_moved(pipeline: Sequence[Any], *, learns_depth: bool) -> None:
    kinds = list(_step_kinds(pipeline))
    start = next((i for i, kind in enumerate(kinds) if kind in _LOAD_DEPTH), len(kinds))
    lost = [kind for kind in kinds[start:] if kind in _LOSE_DEPTH]
    if lost:
        raise ValueError(
            f'the `pipeline` of a data set with depth maps must move them with the image, got {lost[0]!r} after '
            f'{kinds[start]!r}, which does not; use transforms that handle `seg_fields`, such as RandomCrop, '
            'RandomFlip and RandomRotate of mmseg, RandomResize with mmfct.ZoomDepth after it, or '
            'mmfct.RandomZoomCrop; one that changes only colours can come before the map is loaded'
        )
    first = 0 if learns_depth else start  # a transform of the user's own may load it
    for kind, following in zip(kinds[first:], [*kinds[first + 1 :], ''], strict=False):
        if kind in _ZOOM and following != 'ZoomDepth':
            raise ValueError(
                f"the `pipeline` of a data set with depth maps must have dict(type='mmfct.ZoomDepth') right after "
                f'{kind!r}, got {following!r}: an image that is enlarged looks as if taken from nearer, and depth and '
                "disparity must follow. If yours must keep its values, say so with dict(type='mmfct.ZoomDepth', "
                "depth_target='relative_depth')"
            )


def _check_rescaled(pipeline: Sequence[Any]) -> None:
    steps = [step for step in pipeline if isinstance(step, dict) and 'type' in step]
    name = 'depth_rescale_factor'
    factors = [step.get(name, 1.0) for step in steps if type_name(step) == 'LoadDepthAnnotation']
    packed = any(name in step.get('meta_keys', ()) for step in steps)
    if any(factor != 1 for factor in factors) and not packed:
        raise ValueError(
            f'`meta_keys` of the packing must have {name!r} where LoadDepthAnnotation multiplies depth, here by '
            f'{factors[0]!r}: the largest number of a 16-bit file, 65535, is no measurement, and must be recognised'
        )


def _step_kinds(pipeline: Sequence[Any]) -> Iterator[str]:
    """Yield the types of the transforms of a pipeline, with those inside of RandomApply, RandomChoice and the like."""
    for step in pipeline:
        if isinstance(step, (list, tuple)):
            yield from _step_kinds(step)
        elif isinstance(step, dict) and 'type' in step:
            yield type_name(step)
            yield from _step_kinds(step.get('transforms') or ())
