"""Test-time augmentation of a multi-task model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseTTAModel
from torch import Tensor

from mmfct.registry import MODELS


@MODELS.register_module()
class MultiTaskTTAModel(BaseTTAModel):
    """Average what a `MultiTaskSegmentor` says of several views of an image: other sizes, and mirrored.

    mmseg's ``SegTTAModel`` does this for a single segmentation. Every task says how its outputs are averaged:
    probabilities of classes, depth itself. ``mmfct test --tta`` takes this model by default. Its option ``module`` is
    the config of the `MultiTaskSegmentor`.
    """

    def test_step(self, data: dict[str, Sequence[Any]]) -> list[Any]:
        """Return the data samples of the first view, with predictions.

        Args:
            data: ``inputs`` and ``data_samples``: for each view, those of the batch.
        """
        views = [dict(zip(data, view, strict=True)) for view in zip(*data.values(), strict=True)]
        views = [self.module.data_preprocessor(view, False) for view in views]
        outputs = [self.module.original_outputs(**view) for view in views]
        return self.merge_preds(list(zip(views[0]['data_samples'], zip(*outputs, strict=True), strict=True)))

    def merge_preds(self, data_samples_list: Sequence[tuple[Any, Sequence[dict[str, Tensor]]]]) -> list[Any]:
        """Add the merged predictions to data samples, and return these.

        Args:
            data_samples_list: For each image its data sample, and the outputs by task of each view.
        """
        for sample, outputs in data_samples_list:
            for name, task in self.module.tasks.items():
                task.add_prediction(task.merge([output[name] for output in outputs]), sample)
        return [sample for sample, _ in data_samples_list]
