"""Checks of data before any training starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mmengine.config import Config

# Data sets of mmpretrain that fetch what is missing.
_DOWNLOADED = ('CIFAR10', 'CIFAR100', 'MNIST', 'FashionMNIST')
_HINT = 'name yours with `--cfg-options data_root=...`'


def check_data(
    config: Config, loaders: Sequence[str] = ('train_dataloader', 'val_dataloader', 'test_dataloader')
) -> None:
    """Check the folders of a config's data sets; for folders of classes also their number. No image is read.

    Args:
        config: A config with data loaders.
        loaders: Those to check.

    Raises:
        FileNotFoundError: If a ``data_root`` does not exist, is empty, or has no folder of images per class where
            the data set needs that.
        ValueError: If there are fewer classes than a `ClassSubset` keeps, or more than the model has outputs.
    """
    for loader in loaders:
        for dataset, kept in _data_sets(config.get(loader), None):
            kind = dataset['type'] if isinstance(dataset['type'], str) else dataset['type'].__name__
            kind = kind.rpartition('.')[-1]
            if kind in _DOWNLOADED:
                continue
            _check_folder(Path(dataset['data_root']).expanduser(), config.get('data_hint', _HINT))
            if kind == 'CustomDataset' and dataset.get('with_label', True) and not dataset.get('ann_file'):
                head = config.model.get('head') if loader == 'train_dataloader' else None
                _check_classes(dataset, kept, head)


def _data_sets(node: object, kept: int | None) -> Iterator[tuple[dict, int | None]]:
    """Yield every data set with a ``data_root``, and how many of its classes a wrapper keeps; None for all."""
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from _data_sets(item, kept)
    elif isinstance(node, dict):
        if node.get('data_root') and 'type' in node:
            yield node, kept
        if node.get('type') == 'mmfct.ClassSubset':
            kept = node.get('num_classes')
        for item in node.values():
            yield from _data_sets(item, kept)


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
            f'{str(folder)!r}, got {kept!r}; change it with `--cfg-options old_classes=...`'
        )
    outputs = (head or {}).get('num_classes')
    if outputs is not None and min(kept or len(classes), len(classes)) > outputs:
        raise ValueError(
            f'`num_classes` must be at least {len(classes)}, the number of folders in {str(folder)!r}, '
            f'got {outputs!r}; change it with `--cfg-options num_classes={len(classes)}`'
        )
