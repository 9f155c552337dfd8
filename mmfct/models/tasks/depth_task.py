"""Depth as one of several tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import PixelData
from torch import Tensor

from mmfct.functional.depth_zoom import depth_zoom
from mmfct.functional.measured_depth import measured_depth
from mmfct.functional.task_weighting import mean_over_valid
from mmfct.models.tasks.task import Task
from mmfct.models.tasks.zooms import ZoomCheck
from mmfct.registry import MODELS

_FORMS = {'l1': 'laplace', 'l2': 'gaussian'}


@MODELS.register_module()
class DepthTask(Task):
    """Regress depth, or inverse depth: whatever the labels hold, with 0 (or NaN) where they are invalid.

    Invalid are also values that are no measurement (`measured_depth`): below 0, not finite, or 65535 of a 16-bit file.
    Where mmseg's ``LoadDepthAnnotation`` multiplies these by a ``depth_rescale_factor``, it must be among the
    ``meta_keys`` of the packing.

    Args:
        head: Config of any decode head of mmseg with ``num_classes=1``; its ``loss_decode`` is not used.
        error: ``'l1'``, absolute errors, or ``'l2'``, squared ones; averaged over the valid pixels of each instance.
        signed: Whether labels may be 0 and below, such as depth relative to a point; invalid pixels are then NaN.
        fill: What transforms fill labels with where an image has none: mmseg's RandomRotate and RandomCutOut give
            depth the ignored label of segmentation, a number that looks valid. Such pixels are invalid.
        init_cfg: Initialisation config.

    Raises:
        ValueError: If ``error`` is neither.
    """

    label_kind = 'depth_map'

    def __init__(
        self,
        head: dict,
        error: str = 'l1',
        init_cfg: dict | None = None,
        *,
        signed: bool = False,
        fill: float = 255.0,
    ) -> None:
        super().__init__(init_cfg)
        if error not in _FORMS:
            raise ValueError(f'`error` must be one of {sorted(_FORMS)}, got {error!r}')
        self.error = error
        self.signed = signed
        self.fill = fill
        self.form = _FORMS[error]
        self._zooms = ZoomCheck()
        # Placeholder values that silence the head's warning about its loss, which is not used.
        unused = dict(type='CrossEntropyLoss', use_sigmoid=True, avg_non_ignore=True)
        self.head = MODELS.build(dict(dict(loss_decode=unused, threshold=0.0), **head))

    @property
    def _invalid(self) -> float:
        return math.nan if self.signed else 0.0

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return depth (B, 1, h, w) from the features of the backbone or neck."""
        return self.head(features)

    def targets(self, depth: Tensor, data_samples: Sequence[Any]) -> Tensor:
        """Return labels (B, 1, H, W), 0 (or NaN) where invalid, for depth (B, 1, H, W).

        Raises:
            ValueError: In training, if images are zoomed and their depth is not, see `ZoomCheck`.
        """
        for sample in data_samples if self.training and not self.signed else ():
            self._zooms.look(sample.metainfo)
        return torch.stack([self._target(sample, depth.float()) for sample in data_samples])

    def has_label(self, data_sample: Any) -> bool:
        """Return whether a data sample has a valid pixel."""
        if not super().has_label(data_sample):
            return False
        target = self._target(data_sample, data_sample.gt_depth_map.data.float())
        return bool(self._valid(target).any())

    def compare(self, depth: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each instance (B,) from depth (B, 1, H, W), and whether it has a valid pixel (B,)."""
        depth = depth.float()  # half precision has too few digits for differences
        valid = self._valid(targets)
        difference = depth - torch.where(valid, targets, 0.0)  # a NaN would reach the gradient
        errors = difference.abs() if self.error == 'l1' else difference.square()
        return mean_over_valid(errors, valid)

    def undo_zoom(self, output: Tensor, meta: Mapping[str, Any]) -> Tensor:
        """Return the depth (1, H, W) of a zoomed image as that of the original one, see `depth_zoom`.

        Raises:
            ValueError: If the meta information has a ``zoom`` but no ``depth_target``.
        """
        zoom = meta.get('zoom', 1.0)
        return output if zoom == 1 else output / depth_zoom(meta.get('depth_target'), zoom)

    def add_prediction(self, depth: Tensor, data_sample: Any) -> None:
        """Add the depth (1, H, W) to a data sample."""
        data_sample.set_data({'pred_depth_map': PixelData(data=depth)})

    def _valid(self, targets: Tensor) -> Tensor:
        """Return which labels, of any shape, are valid: booleans of the same shape."""
        return targets.isfinite() if self.signed else targets.isfinite() & (targets > 0)

    def _target(self, sample: Any, depth: Tensor) -> Tensor:
        """Return labels (1, H, W), 0 or NaN where invalid."""
        if 'gt_depth_map' not in sample:
            return depth.new_full(depth.shape[1:], self._invalid)
        target = sample.gt_depth_map.data.to(depth.dtype)
        rescale = sample.metainfo.get('depth_rescale_factor', 1.0)
        measured = measured_depth(target, signed=self.signed, rescale=rescale)
        target = target.masked_fill(~measured | (target == self.fill), self._invalid)
        if not any(sample.metainfo.get('padding_size', ())):
            return target
        # mmseg pads depth with the ignored label of segmentation, a number that looks valid.
        height, width = sample.metainfo['img_shape']
        target[:, height:] = self._invalid
        target[:, :, width:] = self._invalid
        return target
