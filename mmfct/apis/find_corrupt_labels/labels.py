"""Labels and predictions in data samples, by their kind: maps of classes or depths, poses, classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from mmfct.functional.measured_depth import is_largest
from mmfct.instances.sample_tasks import is_multi_task, task_samples
from mmfct.models.multi_task_segmentor import MultiTaskSegmentor

# Fields of data samples without their prefix `gt_` or `pred_`.
CLASS_MAP, DEPTH_MAP, POSE, CLASS = 'sem_seg', 'depth_map', 'pose', 'label'


def label_kind(model: nn.Module, task: str, sample: Any) -> str | None:
    """Return which field of a data sample is the label of a task; ``None`` if it has none.

    Args:
        model: The model; a `MultiTaskSegmentor` has tasks that declare it.
        task: Name of the task.
        sample: A data sample of mmseg, or of mmpretrain with one task or several: a head of the hosts has labels of
            one kind, which is the one that is there.
    """
    if isinstance(model, MultiTaskSegmentor):
        return model.tasks[task].label_kind
    part = _of_task(sample, task)
    return next((kind for kind in (CLASS_MAP, DEPTH_MAP, POSE, CLASS) if f'gt_{kind}' in part), None)


def label_map(sample: Any, field: str) -> np.ndarray:
    """Return a map of shape (H, W) out of a field such as ``gt_sem_seg``; an empty one if it is missing.

    For a pose it is the joints, of shape (24, 3). Given depth is NaN where it is the largest number of a 16-bit file.
    """
    if field not in sample:
        return np.zeros((1, 1))
    if field.endswith(POSE):
        return sample.get(field).joints.numpy()
    values = sample.get(field).data.squeeze(0).numpy()
    if field != f'gt_{DEPTH_MAP}':
        return values
    return np.where(is_largest(values, sample.metainfo.get('depth_rescale_factor', 1.0)), np.nan, values)


def label_names(sample: Any, task: str, field: str, classes: Sequence[str] | None) -> str:
    """Return the names of the classes in a field such as ``gt_label``, or their numbers where they have no names."""
    labels = np.atleast_1d(_of_task(sample, task).get(field).numpy()).tolist()
    names = dict(enumerate(classes or ()))  # a model may have more outputs than there are names
    return ', '.join(str(names.get(label, label)) for label in labels)


def _of_task(sample: Any, task: str) -> Any:
    """Return the part of a sample of several tasks that belongs to one."""
    return task_samples(sample).get(task, sample) if is_multi_task(sample) else sample
