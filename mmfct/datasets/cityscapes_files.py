"""Find the files of every CityScapes image."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mmfct.datasets.transforms.map_files import read_png

_IMAGE_SUFFIX = '_leftImg8bit.png'
_LAST_TRAIN_ID = 18
_MAPS_READ = 16


def _published(root: Path, split: str, num_classes: int) -> list[dict[str, Path | None]]:
    """List the files of the published folders, sorted by city and name."""
    files: list[dict[str, Path | None]] = []
    for image in sorted((root / 'leftImg8bit' / split).glob(f'*/*{_IMAGE_SUFFIX}')):
        name, folder = image.name.removesuffix(_IMAGE_SUFFIX), Path(split, image.parent.name)
        files.append(
            dict(
                img_path=image,
                seg_map_path=root / 'gtFine' / folder / f'{name}_gtFine_labelIds.png',
                depth_map_path=root / 'disparity' / folder / f'{name}_disparity.png',
                camera_path=root / 'camera' / folder / f'{name}_camera.json',
            )
        )
    return files


def _preprocessed(root: Path, split: str, num_classes: int) -> list[dict[str, Path | None]]:
    """List the files of the pre-processed form, sorted by number."""
    folder = root / split
    labels = folder / f'label_{num_classes}'
    if not labels.is_dir() and (folder / 'label').is_dir():  # of NYUv2, which has one set of classes
        labels = folder / 'label'
    return [
        dict(
            img_path=image,
            seg_map_path=labels / image.name,
            depth_map_path=folder / 'depth' / image.name,
            camera_path=None,
        )
        for image in sorted((folder / 'image').glob('*.npy'), key=lambda path: (len(path.name), path.name))
    ]


# How each layout lists its files, and how an error message describes it.
LAYOUTS: dict[str, tuple[Callable[[Path, str, int], list[dict[str, Path | None]]], str]] = dict(
    cityscapes=(
        _published,
        'leftImg8bit/{split}/<city>/*_leftImg8bit.png, gtFine/{split}/<city>/*_gtFine_labelIds.png, '
        'disparity/{split}/<city>/*_disparity.png and, where there are any, camera/{split}/<city>/*_camera.json, '
        'as CityScapes publishes them, or as `python tools/render_street_scenes.py {root}` writes them',
    ),
    npy=(
        _preprocessed,
        '{split}/image/<index>.npy, {split}/label_{num_classes}/<index>.npy (or {split}/label) and '
        '{split}/depth/<index>.npy, '
        'the pre-processed form that MTAN publishes',
    ),
)


def find_files(
    data_root: str, *, split: str, layout: str, num_classes: int, require: Sequence[str]
) -> list[dict[str, str | None]]:
    """List the files of every image of a split; None for a missing one.

    Args:
        data_root: Folder of the data set.
        split: Name of the split's folder.
        layout: Name of the layout, from :data:`LAYOUTS`.
        num_classes: Number of classes of the label maps.
        require: Fields, such as ``'seg_map_path'``, that no image may lack.

    Returns:
        A dict per image with ``img_path``, ``seg_map_path``, ``depth_map_path`` and ``camera_path``.

    Raises:
        FileNotFoundError: If there is no image, a required file is missing, or some of the images with a depth map
            have a camera file and others have not.
    """
    list_expected, description = LAYOUTS[layout]
    expected = list_expected(Path(data_root).expanduser(), split, num_classes)
    if not expected:
        description = description.format(split=split, num_classes=num_classes, root=data_root)
        raise FileNotFoundError(
            f'`data_root` must hold {description}; there is no image of the split {split!r}, got {data_root!r}'
        )
    names: dict[Path, frozenset[str]] = {}

    def is_there(path: Path) -> bool:
        # One listing per folder: asking for every file takes minutes on a network drive.
        folder = path.parent
        if folder not in names:
            names[folder] = frozenset(os.listdir(folder)) if folder.is_dir() else frozenset()
        return path.name in names[folder]

    found = [
        {field: str(path) if path and is_there(path) else None for field, path in files.items()} for files in expected
    ]
    for field in require:
        missing = [files[field] for files, there in zip(expected, found, strict=True) if there[field] is None]
        if missing:
            raise FileNotFoundError(
                f'`require` asks for the {field} of every image, but {len(missing)} of {len(expected)} files of the '
                f'split {split!r} are missing, the first is {missing[0]}; get them, or leave the task out of `require`'
            )
    _check_cameras(expected, found)
    return found


def _check_cameras(expected: list[dict[str, Path | None]], found: list[dict[str, str | None]]) -> None:
    """Raise an error if only some of the images with a depth map have a camera file."""
    with_depth = [number for number, there in enumerate(found) if there['depth_map_path']]
    missing = [number for number in with_depth if found[number]['camera_path'] is None]
    if missing and len(missing) < len(with_depth):
        raise FileNotFoundError(
            f'`data_root` must hold the camera files of all images with a disparity, or of none: without one, depth '
            f'has another unit; {len(missing)} of {len(with_depth)} are missing, the first is '
            f'{expected[missing[0]]["camera_path"]}'
        )


def check_for_train_ids(paths: Sequence[str | None]) -> None:
    """Refuse label maps that cannot be CityScapes' label ids: train ids, or ids of another data set.

    Of CityScapes' images hardly any is without vegetation, sky or a vehicle, whose ids are above 18, the last train
    id. A few maps, evenly spread, are read.

    Args:
        paths: File of each image; None where there is none. A file that cannot be read is left to its transform.

    Raises:
        ValueError: If there is no id above 18 in any of them.
    """
    known = [path for path in paths if path is not None and Path(path).suffix == '.png']
    chosen = [known[i] for i in np.unique(np.linspace(0, len(known) - 1, _MAPS_READ).astype(int))] if known else []
    found = np.zeros(256, bool)
    for path in chosen:
        try:
            label_ids = read_png(path)
        except (OSError, ValueError):
            return
        if label_ids.dtype != np.uint8:
            return
        found[np.unique(label_ids)] = True
        if found[_LAST_TRAIN_ID + 1 :].any():
            return
    if chosen:
        raise ValueError(
            f"label maps must hold CityScapes' label ids, got {np.flatnonzero(found).tolist()} in {len(chosen)} files "
            f'such as {chosen[0]}, none of them above {_LAST_TRAIN_ID}: train ids, or ids of your own. If they are '
            "classes from 0 on, set `label_ids='classes'` and `num_classes`; other ids need a dict of class by id; if "
            "they are label ids all the same, set `label_ids='cityscapes'`"
        )
