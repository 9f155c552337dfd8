"""Check the data of a config before anything is trained or tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmfct.utils.dataset_configs import dataset_chains, type_name

# Transforms of the hosts that move the image and the label map, but leave a depth map where it was, or mix its values
# with unknown ones.
_LOSE_DEPTH = ('Albu', 'CenterCrop', 'Pad', 'RandomResizedCrop', 'RandomRotFlip', 'TenCrop')
_LOAD_DEPTH = ('LoadDisparity', 'LoadDepthAnnotation', 'LoadSurreal')
# Those that zoom every image by another factor, and leave the values of its depth map.
_ZOOM = ('RandomChoiceResize', 'RandomResize')
# Data sets of mmpretrain that are downloaded if they are missing.
DOWNLOADED = ('CIFAR10', 'CIFAR100', 'MNIST', 'FashionMNIST')
_HINT = 'set it with `--cfg-options data_root=...`'


def check_data(
    config: Config, loaders: Sequence[str] = ('train_dataloader', 'val_dataloader', 'test_dataloader')
) -> None:
    """Check that the folders of a config's data sets exist, and the number of class folders. No image is read.

    Args:
        config: A config with data loaders.
        loaders: Loaders to check.

    Raises:
        FileNotFoundError: If a ``data_root`` does not exist, is empty, or has no folder of images per class although
            the data set needs one.
        ValueError: If there are fewer classes than a `ClassSubset` keeps, or more than the model has outputs; or if a
            ``data_root`` is no name or a pipeline with depth maps has a transform that would leave them behind, a
            zoom without a `mmfct.ZoomDepth` after it, or a factor of its values that the packing leaves out.
    """
    tasks = config.model.get('tasks') if config.model.get('type') == 'mmfct.MultiTaskSegmentor' else None
    learns_depth = any(type_name(task) == 'DepthTask' for task in (tasks or {}).values())
    for loader in loaders:
        if config.get(loader) is None:
            continue
        head = config.model.get('head') if loader == 'train_dataloader' else None
        for *wrappers, dataset in dataset_chains(config[loader].dataset):
            for part in (dataset, *wrappers):
                _check_depth(part.get('pipeline') or (), learns_depth=learns_depth)
                if learns_depth:
                    _check_rescaled(part.get('pipeline') or ())
            kind = type_name(dataset)
            if not dataset.get('data_root') or kind in DOWNLOADED:
                continue
            if not isinstance(dataset['data_root'], (str, Path)):
                raise ValueError(f'`data_root` must be the folder of the data, got {dataset["data_root"]!r}; {_HINT}')
            _check_folder(Path(dataset['data_root']).expanduser(), config.get('data_hint', _HINT))
            if kind == 'CustomDataset' and dataset.get('with_label', True) and not dataset.get('ann_file'):
                _check_classes(dataset, _kept_classes(wrappers), head)


def _check_depth(pipeline: Sequence[Any], *, learns_depth: bool) -> None:
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


def _kept_classes(wrappers: list[dict]) -> int | None:
    """Return how many classes the wrappers of a data set keep; None for all."""
    subsets = [wrapper for wrapper in wrappers if type_name(wrapper) == 'ClassSubset']
    return subsets[-1].get('num_classes') if subsets else None


def _check_folder(folder: Path, hint: str) -> None:
    if not folder.is_dir() or not any(folder.iterdir()):
        state = 'is empty' if folder.is_dir() else 'does not exist'
        raise FileNotFoundError(
            f'`data_root` must be the folder of the data, got {str(folder)!r}, which {state}; {hint}'
        )


def _check_classes(dataset: dict, kept: int | None, head: dict | None) -> None:
    prefix = dataset.get('data_prefix') or ''
    folder = Path(dataset['data_root'], prefix if isinstance(prefix, str) else prefix.get('img_path', '')).expanduser()
    classes = [item for item in folder.iterdir() if item.is_dir()] if folder.is_dir() else []
    if not any(any(item.iterdir()) for item in classes):
        raise FileNotFoundError(
            f'`data_root` must hold a folder of images per class in {folder.name!r}, got none in {str(folder)!r}; '
            f'{_HINT}'
        )
    if kept is not None and kept > len(classes):
        raise ValueError(
            f'a split into old and new classes must keep at most {len(classes)}, the number of folders in '
            f'{str(folder)!r}, got {kept!r}; change it with `--cfg-options old_classes=...`, or with '
            f'`num_classes={len(classes)}` where it is a share of that'
        )
    outputs = (head or {}).get('num_classes')
    if outputs is not None and min(kept or len(classes), len(classes)) > outputs:
        raise ValueError(
            f'`num_classes` must be at least {len(classes)}, the number of folders in {str(folder)!r}, '
            f'got {outputs!r}; change it with `--cfg-options num_classes={len(classes)}`'
        )
