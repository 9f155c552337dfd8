"""The report at the end of a training: a table, metrics as JSON, and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmfct.evaluation import CompatibilityMetric, compatibility_table
from mmfct.evaluation.plots import plot_compatibility_bars, plot_embedding_projection
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json, without_nan


def write_report(metrics: Mapping[str, Any], evaluated: Sequence[BaseMetric], folder: str | Path) -> None:
    """Write what was measured, on the first rank: FCT's report, or for other metrics a table and JSON.

    Args:
        metrics: Results of the evaluation.
        evaluated: Metrics of the evaluator. If one of them is a `CompatibilityMetric`, its report is written.
        folder: Where the files go.
    """
    if not is_main_process():
        return
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    compatibility = next((metric for metric in evaluated if isinstance(metric, CompatibilityMetric)), None)
    if compatibility is not None:
        write_compatibility_report(metrics, compatibility, folder)
        return
    values = {name: value for name, value in _numbers(metrics).items() if not isinstance(value, list)}
    rows = [f'| {name} | {"not measured" if v is None else format(v, ".4g")} |' for name, v in values.items()]
    table = '\n'.join(['| metric | value |', '| --- | ---: |', *rows])
    write_atomically(folder / 'metrics.md', f'{table}\n'.encode())
    write_atomically(folder / 'metrics.json', encode_json(_numbers(metrics)))
    print_log(f'Report: {folder}/metrics.md, metrics.json\n{table}', 'current')


def write_compatibility_report(metrics: Mapping[str, Any], measured: CompatibilityMetric, folder: Path) -> None:
    """Write the report of a `CompatibilityMetric`.

    Args:
        metrics: Results of the evaluation, which may have other metrics too.
        measured: The metric, which keeps its scores and embeddings.
        folder: Where ``compatibility.md``, ``compatibility.json`` (``metrics``; a score that could not be measured is
            null), ``compatibility.png`` (bars) and, if old, upgraded and new embeddings were measured,
            ``embeddings.png`` (2-D projection) go.
    """
    write_atomically(folder / 'compatibility.md', f'{compatibility_table(measured.scores)}\n'.encode())
    write_atomically(folder / 'compatibility.json', encode_json(_numbers(metrics)))
    written = ['compatibility.md', 'compatibility.json', 'compatibility.png']
    plot_compatibility_bars(measured.scores, folder / 'compatibility.png')
    if {'old', 'upgraded', 'new'} <= measured.embeddings.keys():
        names = dict(enumerate((measured.dataset_meta or {}).get('classes') or ()))
        file = folder / 'embeddings.png'
        plot_embedding_projection(measured.embeddings, measured.labels, file, class_names=names)
        written.append('embeddings.png')
    print_log(f'Report: {folder}/{", ".join(written)}', 'current')


def _numbers(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return without_nan({name: _floats(value) for name, value in metrics.items()})


def _floats(value: Any) -> float | list:
    """Turn a number or an array of them, such as a confusion matrix, into floats."""
    value = value.tolist() if hasattr(value, 'tolist') else value
    return [_floats(item) for item in value] if isinstance(value, (list, tuple)) else float(value)
