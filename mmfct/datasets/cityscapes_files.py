"""Find the files of every CityScapes image."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

_IMAGE_SUFFIX = '_leftImg8bit.png'


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
    return [
        dict(
            img_path=image,
            seg_map_path=folder / f'label_{num_classes}' / image.name,
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
        '{split}/image/<index>.npy, {split}/label_{num_classes}/<index>.npy and {split}/depth/<index>.npy, '
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
