"""Run the trained network over training instances: what it makes of their labels, and its predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from torch.nn import functional
from torch.utils.data import DataLoader

from mmfct.apis.find_corrupt_labels.data import TrainingInstances
from mmfct.apis.find_corrupt_labels.references import References
from mmfct.instances.comparison import Comparison
from mmfct.instances.exchange import InstanceExchange
from mmfct.instances.loss_history import mean_losses
from mmfct.instances.module import InstanceModule
from mmfct.models.multi_task_segmentor import MultiTaskSegmentor
from mmfct.registry import MODELS
from mmfct.utils.checkpoint import load_weights
from mmfct.utils.progress import Progress

# Other images whose predictions a label is compared with.
REFERENCES = 400
_IGNORED = 255


@dataclass(frozen=True)
class Judgement:
    """What a trained network makes of labels; arrays are float64 of shape (I, T), NaN where there is no label.

    Args:
        losses: Loss of each label.
        ranks: Share of other images' predictions that fit the label better than its own image's, ties counting half.
    """

    losses: np.ndarray
    ranks: np.ndarray


def build_model(config: Config, checkpoint: dict[str, Any], path: str, device: str) -> BaseModel:
    """Build the model of a config with the weights of a loaded checkpoint, ready for inference.

    Raises:
        ValueError: If the weights are another model's.
    """
    options = config.model
    if config.get('data_preprocessor') is not None:  # beside the model, from where the Runner takes it
        options = dict(data_preprocessor=config.data_preprocessor) | dict(options)
    model = MODELS.build(options)
    load_weights(model, checkpoint.get('state_dict', checkpoint), path)
    return model.to(device).eval()


@torch.no_grad()
def judge_labels(
    model: BaseModel,
    instances: TrainingInstances,
    config: Config,
    tasks: Sequence[str],
    *,
    references: int = REFERENCES,
    seed: int = 0,
) -> Judgement:
    """Compare every label with the prediction of its image, and with those of other images.

    Args:
        model: The model, in evaluation mode.
        instances: The training instances.
        config: Config of the training, for the loaders.
        tasks: Tasks of the checkpoint.
        references: Number of other images.
        seed: Seed of their choice.

    Raises:
        ValueError: If the model has other tasks, the pipeline rejects an image or loads no labels of a task, or a
            loss is not finite.
    """
    passes = _Passes(model, instances, tasks)
    number = len(instances.files)
    chosen = np.sort(np.random.default_rng(seed).choice(number, min(references, number), replace=False))
    known = References(instances, len(tasks))
    for column, rows, comparison in passes.run(instances.loader(config, chosen), chosen):
        known.add(column, rows, comparison)
    ranks = np.full((number, len(tasks)), np.nan)
    for column, rows, comparison in passes.run(instances.loader(config), np.arange(number)):
        ranks[rows, column] = known.ranks(column, rows, comparison)
    state = passes.exchange.state_dict()
    losses = mean_losses(state['loss_sum'], state['visits']).cpu().numpy()
    empty = [task for task, column in zip(tasks, losses.T, strict=True) if np.isnan(column).all()]
    if empty:
        raise ValueError(
            f'the pipeline of the validation must load the labels of every task, got no label of {empty!r} for any '
            'training image'
        )
    return Judgement(losses, np.where(np.isnan(losses), np.nan, ranks))


class _Passes:
    """Passes of the network over instances, of which every module hands back what it compares."""

    def __init__(self, model: BaseModel, instances: TrainingInstances, tasks: Sequence[str]) -> None:
        self.model, self.instances = model, instances
        self.modules = [m for m in model.modules() if isinstance(m, InstanceModule) and m.instance_tasks]
        for module in self.modules:
            module.keep_comparisons = True
        for head in model.modules():
            if hasattr(head, 'set_margins'):  # of ArcFace: the image's own prediction would fit its label worse
                head.set_margins(0.0)
        self.exchange = InstanceExchange(self.modules, instances.keys, device=next(model.parameters()).device)
        if self.exchange.tasks != tuple(tasks):
            raise ValueError(
                f'the model of the config must have parameters per instance for the tasks of the checkpoint, '
                f'{list(tasks)!r}, got {list(self.exchange.tasks)!r}'
            )

    def run(self, loader: DataLoader, wanted: np.ndarray) -> Iterator[tuple[int, np.ndarray, Comparison]]:
        """Yield column, rows and comparison of every task in every batch; ``wanted`` are the rows of the loader."""
        expected, progress = iter(wanted.tolist()), Progress(len(wanted))
        for batch in loader:
            data = self.model.data_preprocessor(batch, False)
            names = [self.instances.keys.name_of(sample) for sample in data['data_samples']]
            for name, row in zip(names, expected, strict=False):
                self._check(name, row)
            self.exchange.set_batch(data['data_samples'], names)
            if not isinstance(self.model, MultiTaskSegmentor):  # which leaves the padding of images out by itself
                for sample in data['data_samples']:
                    _pad_labels(sample, getattr(self.model.data_preprocessor, 'seg_pad_val', _IGNORED))
            self.model(**data, mode='loss')
            self.exchange.collect()
            self.exchange.take_reports()
            for module, columns, rows in zip(
                self.modules, self.exchange.columns, self.exchange.batch_rows, strict=True
            ):
                for place, comparison in enumerate(module.pop_comparisons() or ()):
                    yield columns.start + place, rows.cpu().numpy(), comparison
            progress.advance(len(names))

    def _check(self, name: Any, row: int) -> None:
        keys, files = self.instances.keys, self.instances.files
        if name is not None and keys.row(name) != row:
            raise ValueError(
                f'the pipeline of the validation must load every training image, got another one, '
                f'{files[keys.row(name)]!r}, in place of {files[row]!r}'
            )


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
