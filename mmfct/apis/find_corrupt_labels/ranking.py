"""Training labels of a task, ranked by suspicion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmfct.apis.find_corrupt_labels.learned_weights import LearnedWeights
from mmfct.functional.label_noise import suspicion_threshold


@dataclass(frozen=True)
class Suspects:
    """Training labels of a task, the most suspicious first; arrays have a value per label.

    Args:
        task: Name of the task.
        rows: Instances, int64; only those that have a label of the task.
        files: Keys of the instances.
        score: Suspicion: the deviation ``d`` that training learned.
        weight: Weight of the loss.
        final_loss: Loss of the trained network.
        mean_loss: Mean loss during training; NaN where it was not tracked.
        corrupted: Whether the label is known to be wrong; ``None`` where nothing is known.
        threshold: Score above which labels count as wrong; ``None`` where the scores form one group.
    """

    task: str
    rows: np.ndarray
    files: list[str]
    score: np.ndarray
    weight: np.ndarray
    final_loss: np.ndarray
    mean_loss: np.ndarray
    corrupted: np.ndarray | None
    threshold: float | None

    @property
    def is_issue(self) -> np.ndarray:
        """Whether each label counts as wrong, boolean; see `suspicion_threshold`."""
        return self.score > self.threshold if self.threshold is not None else np.zeros(len(self.score), dtype=bool)


def rank_suspects(
    task: str,
    learned: LearnedWeights,
    files: Sequence[str],
    final_losses: np.ndarray,
    corrupted: np.ndarray | None,
) -> Suspects:
    """Rank the labels of a task by their score; equal ones, such as those at the limit, by the final loss.

    Args:
        task: Name of the task.
        learned: What training learned.
        files: Keys of the I instances.
        final_losses: Losses of the trained network of shape (I, T), NaN without annotation.
        corrupted: Whether each label of the task is known to be wrong, boolean of shape (I,); ``None`` if unknown.
    """
    column = learned.tasks.index(task)
    annotated = np.flatnonzero(~np.isnan(final_losses[:, column]))
    rows = annotated[np.lexsort((-final_losses[annotated, column], -learned.score[annotated, column]))]
    score = learned.score[rows, column]
    return Suspects(
        task=task,
        rows=rows,
        files=[files[row] for row in rows],
        score=score,
        weight=learned.weight[rows, column],
        final_loss=final_losses[rows, column],
        mean_loss=learned.mean_loss[rows, column],
        corrupted=None if corrupted is None else corrupted[rows],
        threshold=suspicion_threshold(score),
    )
