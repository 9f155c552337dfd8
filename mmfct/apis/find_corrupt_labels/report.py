"""How many labels look wrong, and how well rankings find those that are known to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.apis.find_corrupt_labels.ranking import Suspects
from mmfct.functional.label_noise import detection_scores
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json, without_nan
from mmfct.utils.tables import markdown_table, percent

RANKINGS = {'rank': 'rank among other predictions', 'score': '', 'final_loss': 'final loss', 'mean_loss': 'mean loss'}
# A lower end of the interval below which nothing is claimed.
_FEW = 0.01


def measure_detection(ranking: Sequence[Suspects]) -> dict[str, dict[str, Any]]:
    """Summarise what was found, and where the truth is known, how well.

    Args:
        ranking: Suspects of each task.

    Returns:
        For each task ``labels`` (their number), ``share`` and ``interval`` (estimated share of wrong labels, 95 %),
        ``evidence`` (whether the network tells right labels from others), ``finding`` (that in words) and ``flagged``
        (number of labels that count as wrong). Where the truth is known also ``corrupted`` (number), ``precision`` and
        ``recall`` of the flagged labels, and ``rankings``: ``rank``, ``score``, ``final_loss`` and ``mean_loss`` ->
        `detection_scores`, ``None`` for what was not tracked, and ``score_name``. Without a corrupted label, or
        without a clean one, there are no rankings.
    """
    detection = {}
    for suspects in ranking:
        wrong, issue = suspects.wrong, suspects.is_issue
        entry: dict[str, Any] = dict(
            labels=len(suspects.rows),
            share=wrong.share,
            interval=list(wrong.interval),
            evidence=wrong.evidence,
            finding=finding(suspects),
            flagged=int(issue.sum()),
        )
        if suspects.corrupted is not None:
            truth = suspects.corrupted
            entry['corrupted'] = int(truth.sum())
            entry['precision'] = float(truth[issue].mean()) if issue.any() else None
            entry['recall'] = float(issue[truth].mean()) if truth.any() else None
            if 0 < entry['corrupted'] < entry['labels']:
                entry['score_name'] = suspects.score_name
                entry['rankings'] = {field: _scores(getattr(suspects, field), truth) for field in RANKINGS}
        detection[suspects.task] = entry
    return detection


def finding(suspects: Suspects) -> str:
    """Say in words how many labels of a task are wrong."""
    low, high = (f'{100 * end:.0f}' for end in suspects.wrong.interval)
    if not suspects.wrong.evidence:
        return 'no evidence: the network has learned too little to tell, or most labels are wrong'
    if suspects.wrong.interval[0] < _FEW:
        found = 'hardly any' if suspects.is_issue.any() else 'none'
        return f'{found} found (at most about {high} %, besides memorised ones)'
    return f'at least about {100 * suspects.wrong.share:.0f} % ({low} to {high} %)'


def detection_table(detection: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the result of `measure_detection` as Markdown."""
    rows = [['task', 'labels', 'wrong labels, estimated', 'flagged', 'known wrong', 'precision (%)', 'recall (%)']]
    for task, entry in detection.items():
        quality = [percent(np.nan if entry.get(name) is None else entry[name]) for name in ('precision', 'recall')]
        known = str(entry.get('corrupted', 'unknown'))
        rows.append([task, str(entry['labels']), entry['finding'], str(entry['flagged']), known, *quality])
    tables = [markdown_table(rows)]
    rows = [['task', 'ranked by', 'AUROC', 'AP', 'precision at the true rate']]
    for task, entry in detection.items():
        for field, scores in entry.get('rankings', {}).items():
            cells = [f'{value:.4f}' for value in scores.values()] if scores else ['not tracked', '', '']
            rows.append([task, RANKINGS[field] or entry['score_name'], *cells])
    if len(rows) > 1:
        tables.append(markdown_table(rows))
    return '\n\n'.join(tables)


def write_detection(detection: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    """Write ``detection.json`` and ``detection.md``."""
    write_atomically(folder / 'detection.json', encode_json(without_nan(detection)))
    write_atomically(folder / 'detection.md', f'{detection_table(detection)}\n'.encode())


def _scores(values: np.ndarray, corrupted: np.ndarray) -> dict[str, float] | None:
    known = ~np.isnan(values)  # without those that a short training has not met
    if not corrupted[known].any() or corrupted[known].all():
        return None
    return detection_scores(values[known], corrupted[known])
