"""The contract of tasks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, ClassVar

import torch
from mmengine.model import BaseModule, ModuleList
from mmengine.structures import PixelData
from torch import Tensor


class Task(BaseModule):
    """Base of the tasks of a multi-task model: a head, the loss of each instance, and the prediction.

    Attributes:
        label_kind: Field of a data sample with the label, without its prefix ``gt_``; predictions have ``pred_``.
        form: Form of the loss, see `mmfct.functional.task_weighting`.
        auxiliary: Tasks whose losses of the same labels are added in training.

    Args:
        init_cfg: Initialisation config.
    """

    label_kind: ClassVar[str]
    form: str

    def __init__(self, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.auxiliary = ModuleList()

    @abstractmethod
    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return outputs (B, C, h, w), or (B, C), from the features of the backbone or neck."""

    @abstractmethod
    def targets(self, outputs: Tensor, data_samples: Sequence[Any]) -> Tensor:
        """Return the labels (B, ...) of data samples, marked where they are missing or invalid.

        Args:
            outputs: Outputs (B, C, H, W) of the size of the labels, or (B, C).
            data_samples: Data samples; one without a label of this task has no such field.
        """

    def has_label(self, data_sample: Any) -> bool:
        """Return whether a data sample has a label that :meth:`compare` would count; by default, any at all."""
        return f'gt_{self.label_kind}' in data_sample

    @abstractmethod
    def compare(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each instance (B,), 0 without a label, and booleans (B,): whether it has one.

        Args:
            outputs: Outputs (B, C, H, W), or (B, C).
            targets: Labels (B, ...), as :meth:`targets` returns them.
        """

    @abstractmethod
    def add_prediction(self, output: Tensor, data_sample: Any) -> None:
        """Add the prediction, from an output (C, H, W) or (C,), to a data sample."""

    def undo_zoom(self, output: Tensor, meta: Mapping[str, Any]) -> Tensor:
        """Return an output (C, H, W), or (C,), of a zoomed image as that of the original one; by default the same.

        Args:
            output: The output.
            meta: Meta information of the data sample, with ``zoom`` where `mmfct.ZoomDepth` has noted one.
        """
        return output

    def merge(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return one output for several of an image, each (C, H, W) or (C,); by default their mean."""
        return reduce(torch.add, outputs) / len(outputs)

    def label_size(self, data_sample: Any) -> tuple[int, int] | None:
        """Return height and width of the label of a data sample; ``None`` where it has none, or is no map."""
        label = data_sample.get(f'gt_{self.label_kind}')
        return tuple(label.shape) if isinstance(label, PixelData) else None
