"""Check the data of a config before anything is trained or tested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from mmfct.apis.training.depth_checks import check_depth
from mmfct.utils.dataset_configs import dataset_chains, type_name

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
            ``data_root`` is no name. See also `check_depth`.
    """
    check_depth(config, loaders)
    for loader in loaders:
        if config.get(loader) is None:
            continue
        head = config.model.get('head') if loader == 'train_dataloader' else None
        for *wrappers, dataset in dataset_chains(config[loader].dataset):
            kind = type_name(dataset)
            if not dataset.get('data_root') or kind in DOWNLOADED:
                continue
            if not isinstance(dataset['data_root'], (str, Path)):
                raise ValueError(f'`data_root` must be the folder of the data, got {dataset["data_root"]!r}; {_HINT}')
            _check_folder(Path(dataset['data_root']).expanduser(), config.get('data_hint', _HINT))
            if kind == 'CustomDataset' and dataset.get('with_label', True) and not dataset.get('ann_file'):
                _check_classes(dataset, _kept_classes(wrappers), head)


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
