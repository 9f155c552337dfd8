"""The images of a gallery, with their ids and labels."""

from __future__ import annotations

import copy
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from torch import Tensor
from torch.utils.data import Dataset

from mmfct.apis.extract_gallery.file_names import check_unicode, labels_of_folders
from mmfct.apis.extract_gallery.preprocessing import describe_pipeline
from mmfct.datasets.image_fingerprint import fingerprint_images
from mmfct.datasets.whole_image import check_whole_image
from mmfct.registry import DATASETS
from mmfct.retrieval.gallery.texts import text_array
from mmfct.utils.dataset_configs import dataset_chains, innermost_dataset, type_name, with_pipeline
from mmfct.utils.fingerprint import fingerprint_json, plain_json

_OF_THE_FILE = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)


class GalleryImages(Dataset):
    """Images of a data set of a config, or of a folder, through the test pipeline.

    Args:
        config: Config of the model.
        split: Data loader of the config: ``'train'`` (also through the test pipeline), ``'val'`` or ``'test'``.
        folder: Folder of image files to use instead.
        files: Files of the folder to use, in this order; ``None`` for all.
        labels_from_folders: Whether the label of a file is that of its first subfolder, see `folder_label`; -1 for
            files that lie in none.
        skip_broken: Whether an image that cannot be read is an item with an ``error``, not an exception.

    Attributes:
        ids: Ids of the images, shape (N,): their paths relative to the folder of the data; for images without files
            the split and their number in it, such as ``test/5``.
        labels: Labels of shape (N,), int64, or ``None`` if there are none.
        label_names: Names of the labels, if they come from folders.

    Raises:
        FileNotFoundError: If the folder is missing or empty.
        ValueError: If the config has no such loader or no pipeline for image files, two images have the same id, or a
            name is not valid Unicode; or if ``labels_from_folders`` lacks a folder.
    """

    def __init__(
        self,
        config: Config,
        *,
        split: str = 'test',
        folder: str | None = None,
        files: Sequence[str] | None = None,
        labels_from_folders: bool = False,
        skip_broken: bool = False,
    ) -> None:
        if labels_from_folders and folder is None:
            raise ValueError('`labels_from_folders` needs `images`, a folder with a folder for each class, got None')
        self._skip_broken = skip_broken
        settings = _files(config, folder, files) if folder is not None else _data_set(config, split)
        innermost = [chain[-1] for chain in dataset_chains(settings)]
        pipelines = [dataset.get('pipeline') for dataset in innermost]
        self._pipeline = plain_json(pipelines if len(pipelines) > 1 else pipelines[0])
        self._transforms = _transforms(config, innermost, folder=folder)
        self._images = DATASETS.build(settings)
        self._images.full_init()
        infos = [self._images.get_data_info(index) for index in range(len(self._images))]
        if not infos:
            raise ValueError(f'the data set of `split` {split!r} must hold images, got none')
        root = Path(innermost[0].get('data_root') or os.curdir).absolute()
        self.ids = text_array([_name(info, root, split) for info in infos])
        names, counts = np.unique(self.ids, return_counts=True)
        if counts.max() > 1:
            raise ValueError(
                f'every image of a gallery must have a name of its own, got {str(names[counts.argmax()])!r} '
                f'{counts.max()} times'
            )
        self._contents = fingerprint_images(infos, self.ids.tolist())
        if not skip_broken:
            for name in self.ids.tolist():
                check_unicode(name)
        labels = [info.get('gt_label') for info in infos]
        self._files = [info.get('img_path') for info in infos]
        self.labels = None if any(label is None for label in labels) else np.array(labels, dtype=np.int64)
        self.label_names: dict[int, str] = {}
        if labels_from_folders:
            self.labels, self.label_names = labels_of_folders(self.ids.tolist())

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> dict:
        """Return an image as the pipeline packs it; with ``skip_broken`` also its ``error``, empty if there is none.

        Raises:
            ValueError: If it cannot be read or is truncated; the message names it.
        """
        try:
            if self._files[index] is not None:
                check_whole_image(self._files[index])
            image = self._images[index]
            check_unicode(str(self.ids[index]))
        except Exception as error:  # a decoder may raise anything
            text = f'image {str(self.ids[index])!r} cannot be read: {error}'
            if not self._skip_broken:
                raise ValueError(f'{text}; leave such images out with `--skip-broken`') from error
            if not _is_of_the_image(error):
                raise ValueError(text) from error
            return dict(inputs=None, data_samples=None, error=text)
        return image | dict(error='') if self._skip_broken else image

    def preprocessing(self, image: Tensor) -> dict[str, Any]:
        """Describe how images reach the network, see `ModelIdentity`.

        Args:
            image: An image as the pipeline packs it, of shape (C, H, W).
        """
        return dict(self._transforms, input=list(image.shape))

    @property
    def fingerprint(self) -> str:
        """Hash of images and pipeline: an interrupted gallery is only continued with the same ones."""
        return fingerprint_json(dict(images=self._contents, pipeline=self._pipeline))


def _is_of_the_image(error: Exception) -> bool:
    """Whether an image is at fault, rather than the disk, the network or the memory, which would break all others."""
    if isinstance(error, MemoryError):
        return False
    return not isinstance(error, OSError) or error.errno in (None, *_OF_THE_FILE)


def _data_set(config: Config, split: str) -> dict[str, Any]:
    if split not in ('train', 'val', 'test') or config.get(f'{split}_dataloader') is None:
        raise ValueError(f"`split` must be 'train', 'val' or 'test', a loader of the config, got {split!r}")
    settings = _without_table(config[f'{split}_dataloader'].dataset)
    if split == 'train':
        tested = next((config[name] for name in ('test_dataloader', 'val_dataloader') if config.get(name)), None)
        if tested is None:
            raise ValueError("`split` must not be 'train' where the config has no pipeline of a test, got 'train'")
        settings = with_pipeline(settings, innermost_dataset(_without_table(tested.dataset)).get('pipeline', []))
    for *_, dataset in dataset_chains(settings):
        dataset['test_mode'] = True
    return settings


def _files(config: Config, folder: str, files: Sequence[str] | None) -> dict[str, Any]:
    pipeline = config.get('folder_pipeline')
    if pipeline is None and config.get('test_dataloader') is not None:
        pipeline = innermost_dataset(_without_table(config.test_dataloader.dataset)).get('pipeline')
    if not pipeline or type_name(pipeline[0]) != 'LoadImageFromFile':
        raise ValueError(
            f'{config.filename!r} must say how to load image files: a `folder_pipeline` that begins with '
            'LoadImageFromFile, got none'
        )
    return dict(type='mmfct.ImageFiles', data_root=folder, files=files, pipeline=copy.deepcopy(pipeline))


def _transforms(config: Config, data_sets: Sequence[dict], *, folder: str | None) -> dict[str, Any]:
    """Describe what the pipelines of a config do to images.

    A folder is read by the ``folder_pipeline`` of the config, where there is one: for files, it does what data set and
    test pipeline do, so both galleries note both.
    """
    pipelines = [data_set.get('pipeline') or [] for data_set in data_sets]
    sizes = [data_set['image_size'] for data_set in data_sets if 'image_size' in data_set]
    for_files = config.get('folder_pipeline')
    noted: dict[str, Any] = {}
    if for_files is not None:
        noted['folder_transforms'] = describe_pipeline(for_files)
        if folder is not None:
            pipelines = []
            if config.get('test_dataloader') is not None:
                data_set = innermost_dataset(_without_table(config.test_dataloader.dataset))
                pipelines = [data_set.get('pipeline') or []]
                sizes = [data_set['image_size']] if 'image_size' in data_set else []
    described = [describe_pipeline(pipeline) for pipeline in pipelines]
    if described:
        same = all(other == described[0] for other in described)
        noted['transforms'] = described[0] if same else described
    if sizes:
        noted['data_set_size'] = plain_json(sizes[0] if all(size == sizes[0] for size in sizes) else sizes)
    return noted


def _without_table(settings: dict) -> dict[str, Any]:
    """Copy the config of a data set; of an `EmbeddingTable`, that of the images it is made from."""
    return copy.deepcopy(dict(settings['dataset'] if type_name(settings) == 'EmbeddingTable' else settings))


def _name(info: dict, root: Path, split: str) -> str:
    path = info.get('img_path')
    if path is None:
        return f'{split}/{info["sample_idx"]}'
    path = Path(path).absolute()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
