"""Which images go into a gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmfct.apis.checks import check_data
from mmfct.apis.gallery_images import GalleryImages
from mmfct.apis.pipelines import find_pipeline, with_pipeline


def gallery_images(
    config: Config, *, split: str = 'test', images: str | Path | None = None, labels_from_folders: bool = False
) -> GalleryImages:
    """Build the images of a gallery; they go through the pipeline of the test, so nothing is augmented.

    Args:
        config: Config of a model or of the transform's stage, whose tables of embeddings stand for their images.
        split: Whose data loader has the images: ``'train'``, ``'val'`` or ``'test'``.
        images: Folder of images to take instead, with all folders below it.
        labels_from_folders: Whether the first folder on the way to an image is its class; for ``images``.

    Raises:
        FileNotFoundError: If the data are missing.
        ValueError: If the config has no such data loader, or no pipeline for ``images``.
    """
    pipeline = _pipeline(config)
    if images is None:
        loader = f'{split}_dataloader'
        if config.get(loader) is None:
            raise ValueError(
                f'config {config.filename!r} must have a `{loader}`, got none; name another one with `--split`, or a '
                'folder with `--images`'
            )
        check_data(config, [loader])
        dataset = images_of(config[loader].dataset)
        return GalleryImages(with_pipeline(dataset, pipeline) if pipeline else dataset)
    if not pipeline:
        raise ValueError(
            f'config {config.filename!r} must have a `test_dataloader` or `val_dataloader`, whose pipeline says how '
            'to load images; got neither'
        )
    options = dict(labels_from_folders=labels_from_folders, pipeline=_with_loading(pipeline, config))
    return GalleryImages(dict(type='mmfct.ImageFolder', data_root=str(images), **options))


def number_of_workers(config: Config, split: str) -> int:
    """Return how many workers the config gives to the loader of a split's images."""
    loader = config.get(f'{split}_dataloader') or {}
    dataset = loader.get('dataset', {})
    return dataset.get('num_workers', 0) if _is_table(dataset) else loader.get('num_workers', 0)


def _pipeline(config: Config) -> list[dict]:
    for name in ('test_dataloader', 'val_dataloader'):
        if config.get(name) is not None:
            return find_pipeline(images_of(config[name].dataset))
    return []


def images_of(dataset: dict[str, Any]) -> dict[str, Any]:
    """Return the config of the images behind a table of embeddings, or of any other data set as it is."""
    return dataset['dataset'] if _is_table(dataset) else dataset


def _is_table(dataset: dict[str, Any]) -> bool:
    return str(dataset.get('type', '')).rpartition('.')[-1].startswith('EmbeddingTable')


def _with_loading(pipeline: list[dict], config: Config) -> list[dict]:
    """Put a transform that loads files in front, where the data set of the config loads its images itself."""
    if str(pipeline[0]['type']).startswith('Load'):
        return pipeline
    encoders = config.model.get('encoders')
    backbone = encoders.old.backbone if encoders else config.model.backbone
    color = 'grayscale' if backbone.get('in_channels') == 1 else 'color'
    return [dict(type='LoadImageFromFile', color_type=color), *pipeline]
