"""Run the trained network over training instances: their losses, and their images with predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmengine.utils import track_iter_progress
from torch.nn import functional
from torch.utils.data import DataLoader

from mmfct.apis.find_corrupt_labels.data import TrainingInstances
from mmfct.instances.exchange import InstanceExchange
from mmfct.instances.loss_history import mean_losses
from mmfct.instances.module import InstanceModule
from mmfct.models.multi_task_segmentor import MultiTaskSegmentor
from mmfct.registry import MODELS
from mmfct.utils.checkpoint import load_weights

_IGNORED = 255


def build_model(config: Config, checkpoint: dict[str, Any], path: str, device: str) -> BaseModel:
    """Build the model of a config with the weights of a loaded checkpoint, ready for inference.

    Raises:
        ValueError: If the weights are another model's.
    """
    model = MODELS.build(config.model)
    load_weights(model, checkpoint.get('state_dict', checkpoint), path)
    return model.to(device).eval()


@torch.no_grad()
def final_losses(
    model: BaseModel, instances: TrainingInstances, loader: DataLoader, tasks: Sequence[str]
) -> np.ndarray:
    """Return the loss of the trained network, for every instance and task.

    Args:
        model: The model, in evaluation mode.
        instances: The training instances.
        loader: Loader of all of them.
        tasks: Tasks of the checkpoint.

    Returns:
        Losses, float64 of shape (I, T); NaN where an instance has no annotation.

    Raises:
        ValueError: If the model has other tasks, the pipeline rejects an image or loads no labels of a task, or a
            loss is not finite.
    """
    modules = [module for module in model.modules() if isinstance(module, InstanceModule) and module.instance_tasks]
    exchange = InstanceExchange(modules, instances.keys, device=next(model.parameters()).device)
    if exchange.tasks != tuple(tasks):
        raise ValueError(
            f'the model of the config must have parameters per instance for the tasks of the checkpoint, '
            f'{list(tasks)!r}, got {list(exchange.tasks)!r}'
        )
    expected = iter(enumerate(instances.files))
    for batch in track_iter_progress((loader, len(loader))):
        data = model.data_preprocessor(batch, False)
        names = [instances.keys.name_of(sample) for sample in data['data_samples']]
        for name, (row, file) in zip(names, expected, strict=False):
            if name is not None and instances.keys.row(name) != row:
                raise ValueError(
                    'the pipeline of the validation must load every training image, got another one, '
                    f'{instances.files[instances.keys.row(name)]!r}, in place of {file!r}'
                )
        exchange.set_batch(data['data_samples'], names)
        if not isinstance(model, MultiTaskSegmentor):  # which leaves the padding of images out by itself
            for sample in data['data_samples']:
                _pad_labels(sample, getattr(model.data_preprocessor, 'seg_pad_val', _IGNORED))
        model(**data, mode='loss')
        exchange.collect()
        exchange.take_reports()
    state = exchange.state_dict()
    losses = mean_losses(state['loss_sum'], state['visits']).cpu().numpy()
    empty = [task for task, column in zip(tasks, losses.T, strict=True) if np.isnan(column).all()]
    if empty:
        raise ValueError(
            f'the pipeline of the validation must load the labels of every task, got no label of {empty!r} for any '
            'training image'
        )
    return losses


def _pad_labels(sample: Any, value: int) -> None:
    """Pad the label map of a sample, in place, as its image was padded for the test, and by the same share.

    A head of mmseg scales its scores to the size of the labels: those of a padded image would be shrunk.
    """
    left, right, top, bottom = sample.metainfo.get('img_padding_size', (0, 0, 0, 0))
    if 'gt_sem_seg' not in sample or not any((left, right, top, bottom)):
        return
    labels = sample.gt_sem_seg.data
    height, width = sample.metainfo['pad_shape'][:2]
    # Labels that were loaded after a resize have the size of the file.
    scales = labels.shape[-1] / (width - left - right), labels.shape[-2] / (height - top - bottom)
    padding = [round(scales[i // 2] * side) for i, side in enumerate((left, right, top, bottom))]
    sample.gt_sem_seg = PixelData(data=functional.pad(labels, padding, value=value))


@torch.no_grad()
def predict(model: BaseModel, loader: DataLoader) -> list[tuple[np.ndarray, Any]]:
    """Return each image of a loader as it is shown, uint8 RGB of shape (H, W, 3), with labels and predictions.

    The second of each pair is the data sample, on the CPU.
    """
    views = []
    for batch in loader:
        images = _images_of(model, batch)
        given = [sample.to('cpu') for sample in batch['data_samples']]
        for image, sample, output in zip(images, given, model.test_step(batch), strict=True):
            views.append((image, sample.update(output.to('cpu')) or sample))
    return views


def show_images(model: BaseModel, loader: DataLoader) -> Iterator[np.ndarray]:
    """Yield each image of a loader as it is shown, uint8 RGB of shape (H, W, 3)."""
    for batch in loader:
        yield from _images_of(model, batch)


def _images_of(model: BaseModel, batch: dict) -> list[np.ndarray]:
    to_rgb = any(getattr(model.data_preprocessor, name, False) for name in ('_channel_conversion', 'to_rgb'))
    return [_as_rgb(image, to_rgb) for image in batch['inputs']]


def _as_rgb(image: torch.Tensor, swap: bool) -> np.ndarray:
    """Return an image (C, H, W), in 0..255 or 0..1, as uint8 of shape (H, W, 3); ``swap`` where it is BGR."""
    pixels = image.cpu().numpy().transpose(1, 2, 0)
    if pixels.dtype != np.uint8:
        pixels = np.clip(pixels * (255 if pixels.max() <= 1 else 1), 0, 255).astype(np.uint8)
    if pixels.shape[2] != 3:
        return pixels[..., :1].repeat(3, axis=2)
    return pixels[..., ::-1] if swap else pixels
