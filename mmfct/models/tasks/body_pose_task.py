"""Pose and shape of a person as one of several tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmfct.datasets.smpl_skeleton import JOINTS, NUM_SHAPES
from mmfct.functional.rotation import rotation_from_6d, rotation_from_vector
from mmfct.models.tasks.task import Task
from mmfct.registry import MODELS

_FORMS = {'l1': 'laplace', 'l2': 'gaussian'}
_ROTATIONS = {'6d': (6, rotation_from_6d, (1.0, 0, 0, 0, 1.0, 0)), 'vector': (3, rotation_from_vector, (0.0,) * 3)}
# Numbers in a label: a 3 x 3 matrix for each joint, the shape, 3 coordinates for each joint.
_LABEL_WIDTHS = dict(rotations=9 * len(JOINTS), shape=NUM_SHAPES, joints=3 * len(JOINTS))
# Coordinates are small beside the shape, which has variance 1 and is hard to tell from an image.
_LOSS_WEIGHTS = {'rotations': 1.0, 'shape': 0.01, 'joints': 10.0}


@MODELS.register_module()
class BodyPoseTask(Task):
    """Regress the rotations and the shape of SMPL, and the joints, from pooled features.

    The loss of an instance is a weighted sum of three means: of the elements of the rotation matrices, of the shape,
    and of the coordinates of the joints in metres. The joints have an output of their own: no body model is needed.

    Args:
        in_channels: Channels of the features.
        in_index: Which of the features to use.
        channels: Width of the hidden layer.
        pool_size: Height and width to which the features are averaged.
        rotation: ``'6d'``, two columns of the matrices (arXiv 1812.07035), or ``'vector'``, axis times angle.
        error: ``'l1'``, absolute errors, or ``'l2'``, squared ones.
        loss_weights: Weights of the parts ``'rotations'``, ``'shape'`` and ``'joints'``; 1, 0.01 and 10 by default.
        init_cfg: Initialisation config.

    Raises:
        ValueError: If an option is out of range.
    """

    label_kind = 'pose'

    def __init__(
        self,
        in_channels: int,
        *,
        in_index: int = -1,
        channels: int = 256,
        pool_size: int = 1,
        rotation: str = '6d',
        error: str = 'l2',
        loss_weights: Mapping[str, float] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if rotation not in _ROTATIONS:
            raise ValueError(f'`rotation` must be one of {sorted(_ROTATIONS)}, got {rotation!r}')
        if error not in _FORMS:
            raise ValueError(f'`error` must be one of {sorted(_FORMS)}, got {error!r}')
        if not set(loss_weights or ()) <= set(_LOSS_WEIGHTS):
            raise ValueError(f'`loss_weights` must be for parts from {tuple(_LOSS_WEIGHTS)}, got {loss_weights!r}')
        self.in_index, self.error, self.form = in_index, error, _FORMS[error]
        self.loss_weights = _LOSS_WEIGHTS | dict(loss_weights or {})
        width, self.to_matrices, rest = _ROTATIONS[rotation]
        self.widths = (width * len(JOINTS), NUM_SHAPES, 3 * len(JOINTS))
        last = nn.Linear(channels, sum(self.widths))
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(pool_size),
            nn.Flatten(),
            nn.Linear(in_channels * pool_size**2, channels),
            nn.ReLU(),
            last,
        )
        # Start from the pose at rest, the mean shape, and all joints at the pelvis.
        nn.init.normal_(last.weight, std=0.01)
        with torch.no_grad():
            last.bias.zero_()[: self.widths[0]] = torch.tensor(rest).repeat(len(JOINTS))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return a vector per image, (B, C): rotations, shape and joints."""
        return self.layers(features[self.in_index])

    def targets(self, values: Tensor, data_samples: Sequence[Any]) -> Tensor:
        """Return labels (B, C'): rotation matrices, shape and joints in a row; NaN where there is no pose."""
        missing = values.new_full((sum(_LABEL_WIDTHS.values()),), math.nan, dtype=torch.float32)
        return torch.stack(
            [
                torch.cat([sample.gt_pose.get(name).flatten().to(missing) for name in _LABEL_WIDTHS])
                if 'gt_pose' in sample
                else missing
                for sample in data_samples
            ]
        )

    def has_label(self, data_sample: Any) -> bool:
        """Return whether a data sample has a pose, without a NaN."""
        return super().has_label(data_sample) and not any(
            data_sample.gt_pose.get(name).isnan().any() for name in _LABEL_WIDTHS
        )

    def compare(self, values: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each instance (B,) from vectors (B, C), and whether it has a pose (B,)."""
        annotated = ~targets.isnan().any(dim=1)
        predicted = self._split(values.float())
        parts = dict(zip(_LABEL_WIDTHS, targets.split([*_LABEL_WIDTHS.values()], dim=1), strict=True))
        total = predicted['shape'].new_zeros(len(values))
        for name, value in predicted.items():
            value = value.flatten(1)
            difference = value - torch.where(annotated[:, None], parts[name], value.detach())
            errors = difference.abs() if self.error == 'l1' else difference.square()
            total = total + self.loss_weights[name] * errors.mean(dim=1)
        return total, annotated

    def add_prediction(self, values: Tensor, data_sample: Any) -> None:
        """Add the pose in a vector (C,) to a data sample: rotations (24, 3, 3), shape (10,) and joints (24, 3)."""
        parts = {name: value[0] for name, value in self._split(values[None].float()).items()}
        data_sample.set_data({'pred_pose': BaseDataElement(**parts)})

    def _split(self, values: Tensor) -> dict[str, Tensor]:
        rotations, shape, joints = values.split(self.widths, dim=1)
        matrices = self.to_matrices(rotations.unflatten(1, (len(JOINTS), -1)))
        return dict(rotations=matrices, shape=shape, joints=joints.unflatten(1, (len(JOINTS), 3)))
