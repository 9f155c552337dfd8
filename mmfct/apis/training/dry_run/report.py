"""The report of a dry run."""

from __future__ import annotations

from collections.abc import Sequence

from mmfct.apis.training.dry_run.disk import GB
from mmfct.apis.training.dry_run.stage import Cost, Stage
from mmfct.utils.tables import markdown_table

_HEADER = ['stage', 'images', 'iterations', 'parameters', 'iterations/s', 'hours', 'disk (GB)', 'memory (GB)']
_LEFT_OUT = (
    'Hours are those of iterations, tables of embeddings, and the networks in validations and test, from a few '
    'measured here.\nLeft out: start of the processes and workers, metrics, plots, saving, waiting for a shared disk, '
    'and what other jobs do.'
)


def dry_run_report(stages: Sequence[Stage]) -> str:
    """Write what a dry run has found: notes and a table, warnings, and all failures.

    Args:
        stages: What `dry_run` returned.
    """
    lines = []
    for stage in stages:
        lines += [f'{stage.name}: {stage.state}', *(f'  {note}' for note in stage.notes)]
    costs = [(stage.name, stage.cost) for stage in stages if stage.cost is not None]
    if costs:
        rows = [[name, *_cells(cost)] for name, cost in costs]
        total = sum(cost.seconds for _, cost in costs)
        disk = sum(sum(cost.disk.values()) for _, cost in costs)
        rows.append(['all', '', '', '', '', f'{total / 3600:.2g}', f'{disk / GB:.3g}', ''])
        lines += ['', markdown_table([_HEADER, *rows]), '', _LEFT_OUT]
    for kind, found in (
        ('warning', [(stage.name, text) for stage in stages for text in stage.warnings]),
        ('failed', [(stage.name, f'{part}: {text}') for stage in stages for part, text in stage.failures.items()]),
    ):
        lines += ['', *(f'{kind}: {name}: {text}' for name, text in found)] if found else []
    failures = sum(len(stage.failures) for stage in stages)
    verdict = f'{failures} failure{"s" if failures > 1 else ""}: the training would not get through'
    return '\n'.join([*lines, '', verdict if failures else 'Nothing failed, and nothing was written.'])


def _cells(cost: Cost) -> list[str]:
    rate = f'{1 / cost.step_seconds:.3g}' if cost.step_seconds else '-'
    return [
        f'{cost.images:,}',
        f'{cost.iterations:,}',
        f'{cost.parameters:,}',
        rate,
        f'{cost.seconds / 3600:.2g}',
        f'{sum(cost.disk.values()) / GB:.3g}',
        f'{cost.memory / GB:.3g}',
    ]
