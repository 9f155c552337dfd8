"""The report at the end of FCT's life cycle: a table, numbers for programs and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmfct.apis.plots import plot_compatibility_bars, plot_embedding_projection
from mmfct.evaluation import CompatibilityMetric
from mmfct.evaluation.compatibility_report import compatibility_table


def write_compatibility_report(
    metrics: Mapping[str, float], evaluated: Sequence[BaseMetric], folder: str | Path
) -> None:
    """Write what a `CompatibilityMetric` measured; nothing where the evaluation had none.

    Args:
        metrics: Results of the evaluation.
        evaluated: The evaluator's metrics, of which the `CompatibilityMetric` still holds its embeddings.
        folder: Where ``compatibility.md``, ``compatibility.json``, ``compatibility.png`` (bars) and
            ``embeddings.png`` (2-D projection) go.
    """
    metric = next((metric for metric in evaluated if isinstance(metric, CompatibilityMetric)), None)
    if metric is None or not is_main_process():
        return
    folder = Path(folder)
    (folder / 'compatibility.md').write_text(compatibility_table(metrics, metric.pairs) + '\n')
    (folder / 'compatibility.json').write_text(json.dumps(dict(metrics), indent=1) + '\n')
    plot_compatibility_bars(metrics, folder / 'compatibility.png')
    if {'old', 'upgraded', 'new'} <= metric.embeddings.keys():
        plot_embedding_projection(metric.embeddings, metric.labels, folder / 'embeddings.png')
    print_log(f'Report: {folder}/compatibility.md, compatibility.json, compatibility.png, embeddings.png', 'current')
