"""Errors of predicted joints and surfaces of bodies, in millimetres."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor, nn

from mmfct.functional.pose_error import align_similarity, point_errors
from mmfct.registry import METRICS, MODELS

_MILLIMETRES = 1000


@METRICS.register_module()
class BodyErrorMetric(BaseMetric):
    """Joint errors and, given a body model, the surface error.

    ``mpjpe`` is the mean distance between predicted and true joints, both relative to the pelvis; ``pa_mpjpe`` is the
    same after the best rotation, scale and shift of each person. ``surface_error`` is the mean distance between the
    vertices that a body model makes from predicted and from true rotations and shapes, also relative to the pelvis.
    All are means over the people of the data set, in millimetres.

    Args:
        body: Config of a body model, ``dict(type='mmfct.SmplBody', files=...)``. Without one there is no
            surface error, and the log says so.
        collect_device: Where the errors of the ranks are exchanged: ``cpu`` or ``gpu``.
        prefix: First part of the names of the results; ``None`` for ``pose``.
    """

    default_prefix = 'pose'

    def __init__(self, *, body: dict | None = None, collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.body = None if body is None else MODELS.build(body)

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Measure the people of a batch.

        Args:
            data_batch: Not used.
            data_samples: B samples, of which ``gt_pose`` and ``pred_pose`` have ``joints`` (24, 3) in metres,
                ``rotations`` (24, 3, 3) and ``shape`` (10,), and ``gt_pose`` also ``gender``. Samples without a
                ``gt_pose`` do not count.

        Raises:
            ValueError: If a prediction is not finite.
        """
        for sample in data_samples:
            if 'gt_pose' not in sample:
                self.results.append((0, *[0.0] * (2 if self.body is None else 3)))
                continue
            true, predicted = sample['gt_pose'], sample['pred_pose']
            joints, targets = (_from_pelvis(pose['joints'].cpu().double()[None]) for pose in (predicted, true))
            if not all(predicted[name].isfinite().all() for name in ('joints', 'rotations', 'shape')):
                raise ValueError(f'`pred_pose` must be finite, got NaN or infinity for {sample.get("img_path")!r}')
            errors = [point_errors(joints, targets), point_errors(align_similarity(joints, targets), targets)]
            if self.body is not None:
                errors.append(_surface_error(self.body, predicted, true))
            self.results.append((1, *[float(error) for error in errors]))

    def compute_metrics(self, results: list[tuple[float, ...]]) -> dict[str, float]:
        """Average the errors.

        Args:
            results: For each image 1 if it counts, else 0, and its errors in metres.

        Raises:
            ValueError: If no image has a true pose.
        """
        people, *sums = (math.fsum(column) for column in zip(*results, strict=True)) if results else (0.0,)
        if not people:
            raise ValueError(f'`gt_pose` must be there in at least one image, got none in {len(results)} images')
        names = ('mpjpe', 'pa_mpjpe', 'surface_error')
        metrics = {name: _MILLIMETRES * total / people for name, total in zip(names, sums, strict=False)}
        if self.body is None:
            print_log(
                'surface error: not available, since there is no body model; give the metric '
                "`body=dict(type='mmfct.SmplBody', files=dict(female=..., male=...))`",
                'current',
            )
        return metrics


@torch.no_grad()
def _surface_error(body: nn.Module, predicted: Mapping[str, Any], true: Mapping[str, Any]) -> Tensor:
    """Return the mean distance of vertices, in metres, (1,)."""
    surfaces = []
    for pose in (predicted, true):
        rotations, shape = pose['rotations'].cpu().float()[None], pose['shape'].cpu().float()[None]
        vertices, joints = body(rotations, shape, true['gender'].cpu().reshape(1))
        surfaces.append(vertices - joints[:, :1])
    return point_errors(*surfaces)


def _from_pelvis(joints: Tensor) -> Tensor:
    return joints - joints[:, :1]
