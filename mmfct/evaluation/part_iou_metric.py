"""Intersection over union of predicted and true body parts over a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from mmfct.registry import METRICS


@METRICS.register_module()
class PartIoUMetric(BaseMetric):
    """Intersection over union of parts, of which class 0 is the background.

    ``iou`` is the mean over the parts that occur, in labels or predictions, *without* the background, as SURREAL is
    evaluated (14 parts); a pixel of a part that is predicted as background still counts against the part.
    ``pixel_accuracy`` is the share of all pixels that are right, ``part_accuracy`` the mean over the parts of the
    share of their pixels that are found. All come from one confusion matrix of the data set, so neither the batch size
    nor the number of ranks changes them.

    Args:
        num_classes: Number C of classes, the background included.
        ignore_index: Label of pixels that do not count.
        collect_device: Where the counts of the ranks are exchanged: ``cpu`` or ``gpu``.
        prefix: First part of the names of the results; ``None`` for ``parts``.

    Raises:
        ValueError: If ``num_classes`` is below 2.
    """

    default_prefix = 'parts'

    def __init__(
        self,
        num_classes: int = 15,
        *,
        ignore_index: int = 255,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if num_classes < 2:
            raise ValueError(f'`num_classes` must be at least 2, got {num_classes!r}')
        self.num_classes, self.ignore_index = num_classes, ignore_index

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Count the pixels of each image of a batch.

        Args:
            data_batch: Not used.
            data_samples: B samples, of which ``gt_sem_seg`` and ``pred_sem_seg`` have ``data`` of shape (1, H, W).

        Raises:
            ValueError: If the two maps of a sample differ in size, or a label or prediction is out of range.
        """
        for sample in data_samples:
            target, prediction = (sample[name]['data'].squeeze(0) for name in ('gt_sem_seg', 'pred_sem_seg'))
            path = sample.get('img_path', 'unknown')
            if target.shape != prediction.shape:
                raise ValueError(
                    f'`pred_sem_seg` must have the shape {tuple(target.shape)!r} of `gt_sem_seg`, '
                    f'got {tuple(prediction.shape)!r} for {path!r}'
                )
            valid = target != self.ignore_index
            target, prediction = target[valid].long(), prediction.to(target.device)[valid].long()
            both = torch.cat([target, prediction])
            if len(both) and not 0 <= int(both.min()) <= int(both.max()) < self.num_classes:
                raise ValueError(
                    f'classes must be from 0 to {self.num_classes - 1}, got {int(both.min())} to {int(both.max())} '
                    f'for {path!r}'
                )
            codes = target * self.num_classes + prediction
            self.results.append(codes.bincount(minlength=self.num_classes**2).cpu().numpy())

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Divide the counts.

        Args:
            results: For each image the number of pixels (C * C,) by label and prediction.

        Raises:
            ValueError: If no image has a label.
        """
        table = torch.zeros(self.num_classes, self.num_classes, dtype=torch.float64)
        for counts in results:
            table += torch.from_numpy(counts).reshape(table.shape)
        if not table.sum() > 0:
            raise ValueError(
                f'`gt_sem_seg` must have a label in at least one image, got none in {len(results)} images'
            )
        right, labelled, predicted = table.diag(), table.sum(1), table.sum(0)
        union = (labelled + predicted - right)[1:]
        return dict(
            iou=_mean(right[1:] / union, union > 0),
            pixel_accuracy=float(right.sum() / table.sum()),
            part_accuracy=_mean((right / labelled)[1:], labelled[1:] > 0),
        )


def _mean(values: torch.Tensor, counts: torch.Tensor) -> float:
    """Return the mean of the values that count; 0 if none does."""
    return float(values[counts].mean()) if counts.any() else 0.0
