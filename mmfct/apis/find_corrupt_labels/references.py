"""Labels under the predictions of many other images."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmfct.apis.find_corrupt_labels.data import TrainingInstances
from mmfct.instances.comparison import Comparison, same_labels

# Numbers in a part of the predictions, on a CPU: what a loss makes of them on the way stays in its cache.
_CACHED = 2**18

_Part = tuple[np.ndarray, Tensor, Tensor]  # rows, outputs and labels of images


class References:
    """Predictions of some images, by task and size."""

    def __init__(self, instances: TrainingInstances, num_tasks: int) -> None:
        # What is cut out of one file has like labels: these are no strangers to one another.
        pairs = zip(instances.files, instances.paths, strict=True)
        _, self._group = np.unique([_source(*pair) for pair in pairs], return_inverse=True)
        self._parts: list[dict[tuple, list[_Part]]] = [defaultdict(list) for _ in range(num_tasks)]
        self._joined: dict[tuple[int, tuple], _Part] = {}

    def add(self, column: int, rows: np.ndarray, comparison: Comparison) -> None:
        """Remember the outputs of images in a task, and their classes."""
        _, outputs, targets = comparison
        # Maps are never taken for the same label, and would fill the memory.
        labels = targets if targets.dim() <= 2 else targets.new_zeros(len(targets), 1, 1)
        self._parts[column][tuple(outputs.shape[1:])].append((rows, outputs, labels))

    def ranks(self, column: int, rows: np.ndarray, comparison: Comparison) -> np.ndarray:
        """Return the ranks (B,) of the labels of a batch; NaN without a label, or another prediction of its size."""
        own, annotated = comparison.loss(comparison.outputs, comparison.targets)
        others, outputs, labels = self._all(column, tuple(comparison.outputs.shape[1:]))
        found = np.full(len(rows), np.nan)
        for place, row in enumerate(rows):
            if not annotated[place] or not len(others):
                continue
            strangers = torch.from_numpy(self._group[others] != self._group[row]).to(own.device)
            strangers &= ~same_labels(labels, comparison.targets[place : place + 1])
            if strangers.any():
                losses = _losses(comparison, outputs, comparison.targets[place])[strangers]
                better = (losses < own[place]).sum() + 0.5 * (losses == own[place]).sum()
                found[place] = float(better / len(losses))
        return found

    def _all(self, column: int, shape: tuple) -> _Part:
        if (column, shape) not in self._joined:
            parts = self._parts[column].pop(shape, None)
            if parts:
                rows, outputs, labels = zip(*parts, strict=True)
                self._joined[column, shape] = np.concatenate(rows), torch.cat(outputs), torch.cat(labels)
            else:
                self._joined[column, shape] = np.zeros(0, np.int64), torch.zeros(0), torch.zeros(0)
        return self._joined[column, shape]


def _source(key: str, path: str) -> str:
    """Return the file that an instance is a part of: its image, or the clip of a frame, ``clip.mp4#n``."""
    return path if '#' in key and Path(path).is_file() else key.partition('#')[0]


def _losses(comparison: Comparison, outputs: Tensor, target: Tensor) -> Tensor:
    """Return the losses (N,) of a label (...) under N predictions (N, ...)."""
    size = max(1, _CACHED // outputs[0].numel()) if outputs.is_cpu else len(outputs)
    parts = outputs.split(size)
    return torch.cat([comparison.loss(part, target.expand(len(part), *target.shape))[0] for part in parts])
