"""The report at the end of a training: a table, numbers for programs and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmfct.apis.training.plots import plot_compatibility_bars, plot_embedding_projection
from mmfct.evaluation import CompatibilityMetric
from mmfct.evaluation.compatibility_report import compatibility_table
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json, without_nan


def write_report(metrics: Mapping[str, float], evaluated: Sequence[BaseMetric], folder: str | Path) -> None:
    """Write what was measured: FCT's report, or for any other evaluation ``metrics.md`` and ``metrics.json``.

    Args:
        metrics: Results of the evaluation.
        evaluated: The evaluator's metrics.
        folder: Where the files go.
    """
    if any(isinstance(metric, CompatibilityMetric) for metric in evaluated):
        write_compatibility_report(metrics, evaluated, folder)
    elif is_main_process():
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [f'| {name} | {value:.4g} |' for name, value in _numbers(metrics).items() if isinstance(value, float)]
        table = '\n'.join(['| metric | value |', '| --- | ---: |', *rows])
        write_atomically(folder / 'metrics.md', f'{table}\n'.encode())
        write_atomically(folder / 'metrics.json', encode_json(_numbers(metrics)))
        print_log(f'Report: {folder}/metrics.md, metrics.json\n{table}', 'current')


def write_compatibility_report(
    metrics: Mapping[str, float], evaluated: Sequence[BaseMetric], folder: str | Path
) -> None:
    """Write what a `CompatibilityMetric` measured; nothing where the evaluation had none.

    Args:
        metrics: Results of the evaluation.
        evaluated: The evaluator's metrics, of which the `CompatibilityMetric` still holds its embeddings.
        folder: Where ``compatibility.md``, ``compatibility.json`` (a score that could not be measured is null),
            ``compatibility.png`` (bars) and ``embeddings.png`` (2-D projection, where its roles were measured) go.
    """
    metric = next((metric for metric in evaluated if isinstance(metric, CompatibilityMetric)), None)
    if metric is None or not is_main_process():
        return
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / 'compatibility.md', f'{compatibility_table(metrics, metric.pairs)}\n'.encode())
    write_atomically(folder / 'compatibility.json', encode_json(_numbers(metrics)))
    written = ['compatibility.md', 'compatibility.json', 'compatibility.png']
    plot_compatibility_bars(metrics, folder / 'compatibility.png')
    if {'old', 'upgraded', 'new'} <= metric.embeddings.keys():
        plot_embedding_projection(metric.embeddings, metric.labels, folder / 'embeddings.png')
        written.append('embeddings.png')
    print_log(f'Report: {folder}/{", ".join(written)}', 'current')


def _numbers(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return without_nan({name: _floats(value) for name, value in metrics.items()})


def _floats(value: Any) -> float | list:
    """Turn a number or an array of them, such as a confusion matrix, into floats."""
    value = value.tolist() if hasattr(value, 'tolist') else value
    return [_floats(item) for item in value] if isinstance(value, (list, tuple)) else float(value)
