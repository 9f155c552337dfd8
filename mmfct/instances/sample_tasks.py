"""Instance and tasks of a data sample, of any host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def is_multi_task(sample: Any) -> bool:
    """Return whether a sample is one of mmpretrain's with a sample for each task that is annotated."""
    return hasattr(sample, 'tasks')


def task_samples(sample: Any) -> dict[str, Any]:
    """Return the samples of single tasks in a multi-task sample, by the name of the task; tasks may be in a task."""
    parts: dict[str, Any] = {}
    for task in sample.tasks:
        part = sample.get(task)
        parts |= task_samples(part) if is_multi_task(part) else {task: part}
    return parts


def is_seen(sample: Any, tasks: Sequence[str]) -> bool:
    """Return whether the losses of ``tasks`` see a sample: a sub-head of mmpretrain sees its own task's only."""
    return not is_multi_task(sample) or not task_samples(sample).keys().isdisjoint(tasks)


def instance_name(sample: Any, key: str) -> Any:
    """Return what identifies the instance of a sample; ``None`` for a multi-task sample without any annotation.

    Args:
        sample: A data sample.
        key: Name in its meta information.

    Raises:
        ValueError: If it is not there.
    """
    parts = list(task_samples(sample).values()) if is_multi_task(sample) else [sample]
    if not parts:
        return None  # no loss sees it
    name = parts[0].metainfo.get(key)
    if name is None:
        raise ValueError(
            f'data samples must have {key!r} in their meta information, got {sorted(parts[0].metainfo)}; '
            'add it to `meta_keys` of the pipeline'
        )
    return name
