"""How well rankings find the labels that are known to be wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.apis.find_corrupt_labels.ranking import Suspects
from mmfct.functional.label_noise import detection_scores
from mmfct.utils.files import write_atomically

RANKINGS = {'score': 'learned parameter', 'final_loss': 'final loss', 'mean_loss': 'mean loss'}


def measure_detection(ranking: Sequence[Suspects]) -> dict[str, dict[str, Any]]:
    """Compare rankings by the learned parameter, by the final loss and by the mean loss of training.

    Args:
        ranking: Suspects of each task.

    Returns:
        For each task ``labels`` (their number), ``threshold`` and ``flagged`` (number of labels above it, see
        `suspicion_threshold`), and where the truth is known ``corrupted`` (number) and ``rankings``: ``score``,
        ``final_loss`` and ``mean_loss`` -> `detection_scores` of the labels whose loss is known; ``None`` for losses
        that were not tracked. Without a corrupted label, or without a clean one, there are no rankings.
    """
    detection = {}
    for suspects in ranking:
        entry: dict[str, Any] = dict(
            labels=len(suspects.rows), threshold=suspects.threshold, flagged=int(suspects.is_issue.sum())
        )
        if suspects.corrupted is not None:
            entry['corrupted'] = int(suspects.corrupted.sum())
            if 0 < entry['corrupted'] < entry['labels']:
                entry['rankings'] = {name: _scores(getattr(suspects, name), suspects.corrupted) for name in RANKINGS}
        detection[suspects.task] = entry
    return detection


def detection_table(detection: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the result of `measure_detection` as Markdown."""
    lines = ['| task | labels | taken for wrong | known wrong |', '| --- | --- | --- | --- |']
    for task, entry in detection.items():
        flagged = f'{entry["flagged"]}' if entry['threshold'] is not None else '0 (the scores form one group)'
        lines.append(f'| {task} | {entry["labels"]} | {flagged} | {entry.get("corrupted", "unknown")} |')
    if any('rankings' in entry for entry in detection.values()):
        lines += [
            '',
            '| task | ranked by | AUROC | AP | precision at the true rate |',
            '| --- | --- | --- | --- | --- |',
        ]
    for task, entry in detection.items():
        for name, scores in entry.get('rankings', {}).items():
            cells = [f'{value:.4f}' for value in scores.values()] if scores else ['not tracked', '', '']
            lines.append(f'| {" | ".join([task, RANKINGS[name], *cells])} |')
    return '\n'.join(lines)


def write_detection(detection: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    """Write ``detection.json`` and ``detection.md``."""
    write_atomically(folder / 'detection.json', (json.dumps(detection, indent=1, allow_nan=False) + '\n').encode())
    write_atomically(folder / 'detection.md', (detection_table(detection) + '\n').encode())


def _scores(values: np.ndarray, corrupted: np.ndarray) -> dict[str, float] | None:
    known = ~np.isnan(values)  # without those that a short training has not met
    if not corrupted[known].any() or corrupted[known].all():
        return None
    return detection_scores(values[known], corrupted[known])
