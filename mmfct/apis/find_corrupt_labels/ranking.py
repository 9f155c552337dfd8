"""Training labels of a task, ranked by suspicion."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mmengine.logging import print_log

from mmfct.apis.find_corrupt_labels.learned_weights import LearnedWeights
from mmfct.apis.find_corrupt_labels.model import Judgement
from mmfct.functional.wrong_labels import WrongLabels, estimate_wrong_labels

# Labels that are wrong with this probability count as wrong.
ISSUE = 0.5


@dataclass(frozen=True)
class Suspects:
    """Training labels of a task, the most suspicious first; arrays have a value per label.

    Args:
        task: Name of the task.
        rows: Instances, int64; only those that have a label of the task.
        files: Keys of the instances.
        rank: Share of other images' predictions that fit the label better than its own image's.
        wrong: What the ranks say: estimated share of wrong labels, and the probability of each.
        score: What training learned: larger is more suspicious; NaN where it learned nothing.
        score_name: What that is called.
        weight: Weight of the loss.
        final_loss: Loss of the trained network.
        mean_loss: Mean loss during training; NaN where it was not tracked.
        corrupted: Whether the label is known to be wrong; ``None`` where nothing is known.
    """

    task: str
    rows: np.ndarray
    files: list[str]
    rank: np.ndarray
    wrong: WrongLabels
    score: np.ndarray
    score_name: str
    weight: np.ndarray
    final_loss: np.ndarray
    mean_loss: np.ndarray
    corrupted: np.ndarray | None

    @property
    def probability(self) -> np.ndarray:
        """Probability that each label is wrong; NaN without evidence."""
        return self.wrong.probability

    @property
    def is_issue(self) -> np.ndarray:
        """Whether each label counts as wrong, boolean."""
        return np.nan_to_num(self.probability) >= ISSUE


def rank_suspects(
    task: str,
    learned: LearnedWeights,
    files: Sequence[str],
    judgement: Judgement,
    corrupted: np.ndarray | None,
) -> Suspects:
    """Rank the labels of a task by their rank among other images' predictions; equal ones by what training learned.

    Args:
        task: Name of the task.
        learned: What training learned.
        files: Keys of the I instances.
        judgement: What the trained network makes of their labels.
        corrupted: Whether each label of the task is known to be wrong, boolean of shape (I,); ``None`` if unknown.

    Raises:
        ValueError: If no label of the task can be compared.
    """
    column = learned.tasks.index(task)
    ranks, losses = judgement.ranks[:, column], judgement.losses[:, column]
    known = np.flatnonzero(~np.isnan(ranks))
    if not len(known):
        raise ValueError(
            f'labels of task {task!r} need images of other files, clips and classes to be compared with, got none'
        )
    score = learned.score[known, column]
    if uncompared := int(np.isnan(ranks[~np.isnan(losses)]).sum()):
        text = f'{task}: {uncompared} labels are left out, since they could be compared with no other image'
        print_log(text, logger='current', level=logging.WARNING)
    order = np.lexsort((-losses[known], -np.nan_to_num(score, nan=-np.inf), -ranks[known]))
    rows = known[order]
    return Suspects(
        task=task,
        rows=rows,
        files=[files[row] for row in rows],
        rank=ranks[rows],
        wrong=estimate_wrong_labels(ranks[rows]),
        score=learned.score[rows, column],
        score_name=learned.score_name,
        weight=learned.weight[rows, column],
        final_loss=losses[rows],
        mean_loss=learned.mean_loss[rows, column],
        corrupted=None if corrupted is None else corrupted[rows],
    )
