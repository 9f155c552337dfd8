"""What is shown of a label, given or predicted: a map of classes, a map of depths, joints, or a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# Fields of data samples without their prefix `gt_` or `pred_`.
CLASS_MAP, DEPTH_MAP, POSE, CLASS = 'sem_seg', 'depth_map', 'pose', 'label'


def label_kind(sample: Any, task: str) -> str | None:
    """Return which field of a data sample is the label of a task; ``None`` if it has none.

    A sample with several is one of several tasks: depth belongs to a task whose name has ``depth`` in it, a pose to
    one whose name has ``pose`` in it.

    Args:
        sample: A data sample of mmseg, or of mmpretrain with one task or several.
        task: Name of the task.
    """
    kinds = [CLASS_MAP, DEPTH_MAP, POSE, CLASS]
    kinds.sort(key=lambda kind: kind.removesuffix('_map') not in task)  # stable
    sample = _of_task(sample, task)
    return next((kind for kind in kinds if f'gt_{kind}' in sample), None)


def label_map(sample: Any, field: str) -> np.ndarray:
    """Return a map of shape (H, W) out of a field such as ``gt_sem_seg``; an empty one if it is missing.

    Of a pose they are its joints, of shape (24, 3).
    """
    if field not in sample:
        return np.zeros((1, 1))
    if field.endswith(POSE):
        return sample.get(field).joints.numpy()
    return sample.get(field).data.squeeze(0).numpy()


def label_names(sample: Any, task: str, field: str, classes: Sequence[str] | None) -> str:
    """Return the names of the classes in a field such as ``gt_label``, or their numbers where there are no names."""
    labels = np.atleast_1d(_of_task(sample, task).get(field).numpy()).tolist()
    return ', '.join(str(classes[label] if classes else label) for label in labels)


def _of_task(sample: Any, task: str) -> Any:
    """Return the part of a sample of several tasks that belongs to one."""
    return sample.get(task) if task in sample else sample
