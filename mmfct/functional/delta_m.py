"""Mean relative change of a multi-task model against single-task models."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence


def delta_m(
    scores: Mapping[str, float],
    baseline: Mapping[str, float],
    *,
    lower_is_better: Collection[str],
    tasks: Mapping[str, Sequence[str]] | None = None,
) -> float:
    """Mean relative change of a model's metrics against a baseline, in percent; positive is worse.

    The change of a metric is ``(score - baseline) / baseline``, with the other sign where higher is better. Two
    conventions are published, and they differ where tasks have unequally many metrics:

    - the mean over all metrics (Liu et al., CAGrad, 2021; Navon et al., Nash-MTL, 2022; Liu et al., FAMO, 2023):
      the default;
    - the mean over tasks of the mean over the metrics of each (Maninis et al., Attentive single-tasking, 2019;
      LibMTL, which prints it with the opposite sign): give ``tasks``.

    Args:
        scores: Metric -> value of the multi-task model.
        baseline: Metric -> value of the single-task models, for the same metrics.
        lower_is_better: Names of the metrics that are errors.
        tasks: Task -> its metrics; every metric belongs to one task.

    Returns:
        The change in percent; NaN where a value is NaN.

    Raises:
        ValueError: The metrics of the arguments differ, there are none, or a baseline is 0.
    """
    names = set(baseline)
    if not names or set(scores) != names:
        raise ValueError(
            f'`scores` must have the metrics of `baseline`, at least one, got {sorted(scores)!r} and {sorted(names)!r}'
        )
    unknown = sorted(set(lower_is_better) - names)
    if unknown:
        raise ValueError(f'`lower_is_better` must name metrics out of {sorted(names)!r}, got {unknown!r}')
    groups = [list(group) for group in tasks.values()] if tasks is not None else [list(baseline)]
    if sorted(name for group in groups for name in group) != sorted(names) or not all(groups):
        raise ValueError(f'`tasks` must share out the metrics {sorted(names)!r} among them, got {tasks!r}')
    zero = sorted(name for name, value in baseline.items() if value == 0)
    if zero:
        raise ValueError(f'`baseline` must not be 0, which no change is relative to, got 0 for {zero!r}')

    def change(name: str) -> float:
        difference = (scores[name] - baseline[name]) / abs(baseline[name])
        return difference if name in lower_is_better else -difference

    means = [math.fsum(change(name) for name in group) / len(group) for group in groups]
    return 100 * math.fsum(means) / len(means)
