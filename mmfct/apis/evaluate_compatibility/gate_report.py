"""The table and the picture of what a gate decided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmfct.apis.evaluate_compatibility.gate import Criterion, FirstHits, GateDecision
from mmfct.apis.evaluate_compatibility.gate_rule import evidence_of
from mmfct.evaluation.report import list_titles, score_title
from mmfct.utils.figures import COLORS, clean_axes, save_png
from mmfct.utils.tables import markdown_table, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOST = 'first hits lost'


def gate_lines(decision: GateDecision) -> list[str]:
    """Paragraphs and a table: the decision, its evidence, a row for each criterion, and how to read them."""
    evidence = '; '.join(
        f'{kind}, {next(c.num_queries for name, c in decision.criteria.items() if evidence_of(name) == kind)} queries'
        for kind in decision.evidence
    )
    return [decision.verdict, f'Evidence: {evidence}.', gate_table(decision), *gate_notes(decision)]


def gate_table(decision: GateDecision) -> str:
    """Markdown table with a row for each criterion and its verdict."""
    rule = decision.rule
    baseline, candidate = rule.pairs
    header = ['criterion', f'{baseline.title} (%)', f'{candidate.title} (%)', 'change (points)']
    header += [f'{100 * rule.confidence:g} % interval', 'limit', 'queries', 'better', 'worse', 'verdict']
    rows = [header]
    for name, criterion in decision.criteria.items():
        low, high = criterion.interval
        row = [score_title(name), percent(criterion.baseline), percent(criterion.candidate)]
        row += [f'{100 * criterion.difference:+.2f}', f'{100 * low:+.2f} to {100 * high:+.2f}']
        row += [f'at least {-100 * rule.margin or 0.0:.2f}', str(criterion.num_queries), str(criterion.better)]
        rows.append([*row, str(criterion.worse), _verdict(criterion)])
    hits = decision.first_hits
    row = [_LOST, '', '', percent(hits.share), ' to '.join(map(percent, hits.interval))]
    row.append('none' if rule.max_lost is None else f'at most {percent(rule.max_lost)}')
    word = {True: 'pass', False: 'FAIL', None: 'not asked for'}[hits.passed]
    rows.append([*row, str(hits.num_queries), str(hits.won), str(hits.lost), word])
    return markdown_table(rows)


def gate_notes(decision: GateDecision) -> list[str]:
    """Sentences that say what a failure means and what the evidence does not show."""
    notes = []
    unsure = [name for name in decision.failed if not decision.criteria[name].is_loss]
    if unsure:
        needed = max(-decision.criteria[name].interval[0] for name in unsure)
        notes.append(
            f'In {list_titles(unsure)} a loss is possible, not certain: more queries would narrow the interval; it '
            f'would pass with a margin of {np.ceil(1e4 * needed) / 1e4:.4f} (`--margin`).'
        )
    hits = decision.first_hits
    found = 'a match' if hits.metric == 'cmc1' else "the new model's own"
    notes.append(
        f'{hits.lost} of {hits.num_queries} queries lose the first hit that they have today (the nearest neighbour '
        f'is {found}), and {hits.won} win one.'
    )
    if 'agreement with the new model' in decision.evidence:
        notes.append(
            "Agreement says how near the results come to the new model's own, not whether these are right: check some "
            'with `mmfct search`.'
        )
    return notes


def plot_gate(decision: GateDecision, path: str | Path) -> Path:
    """Draw, for each criterion, how much the queries gained or lost, with the mean, its interval and the limit.

    Args:
        decision: Decision of a gate.
        path: PNG file to write.

    Returns:
        The written file.
    """
    from matplotlib.figure import Figure

    number = len(decision.criteria) + 1
    figure = Figure(figsize=(8, 0.8 + 2.9 * len(decision.criteria) + 2), layout='constrained')
    heights = [*[2.9] * len(decision.criteria), 1.9]
    panels = figure.subplots(number, 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, criterion) in zip(panels, decision.criteria.items(), strict=False):
        _draw_criterion(axes, name, criterion, decision)
    _draw_first_hits(panels[-1], decision.first_hits, decision.rule.max_lost)
    clean_axes(*panels[:-1], grid='y')
    clean_axes(panels[-1], grid='x')
    for axes in panels:
        axes.legend(frameon=False, loc='center left', bbox_to_anchor=(1, 0.5))
    figure.suptitle(decision.verdict)
    return save_png(figure, path)


def _verdict(criterion: Criterion) -> str:
    if criterion.passed:
        return 'pass'
    return 'FAIL: a loss' if criterion.is_loss else 'FAIL: a loss is possible'


def _draw_criterion(axes: Axes, name: str, criterion: Criterion, decision: GateDecision) -> None:
    """Draw the changes of all queries as a histogram."""
    points = 100 * criterion.differences.numpy()
    # An odd number of bins with symmetric limits: queries that did not change have the middle one.
    counts, edges = np.histogram(points, np.linspace(-1, 1, 42) * max(1e-9, float(np.abs(points).max())))
    colors = [COLORS[3]] * 20 + [COLORS[7]] + [COLORS[0]] * 20
    axes.bar(edges[:-1], counts, np.diff(edges), align='edge', color=colors)
    ends = [100 * end for end in criterion.interval]
    axes.axvspan(ends[0], ends[1], facecolor='black', alpha=0.15, label='interval of the mean')
    axes.axvline(100 * criterion.difference, color='black', label='mean')
    axes.axvline(-100 * decision.rule.margin, color='black', linestyle=':', label='limit')
    baseline, candidate = decision.rule.pairs
    axes.set_xlabel(f'{score_title(name)} of {candidate.title} minus {baseline.title} (points)')
    axes.set_ylabel('queries')
    axes.set_title(
        f'{score_title(name)}, {_verdict(criterion)}: {criterion.better} queries better, {criterion.worse} worse of '
        f'{criterion.num_queries}',
        fontsize=10,
    )


def _draw_first_hits(axes: Axes, hits: FirstHits, limit: float | None) -> None:
    """Draw the share of the queries that lose, and that win, their first hit."""
    shares = [100 * hits.won / hits.num_queries, 100 * hits.share]
    axes.barh(['won', 'lost'], shares, color=[COLORS[0], COLORS[3]])
    low, high = (100 * end for end in hits.interval)
    reach = [[max(0.0, shares[1] - low)], [max(0.0, high - shares[1])]]
    axes.errorbar(shares[1:], ['lost'], xerr=reach, color='black', capsize=4, label='interval of the share')
    if limit is not None:
        axes.axvline(100 * limit, color='black', linestyle=':', label='limit')
    axes.set_xlabel('first hits (% of the queries)')
    word = {True: 'pass', False: 'FAIL', None: 'no limit was asked for'}[hits.passed]
    axes.set_title(f'{_LOST}, {word}: {hits.lost} lost, {hits.won} won of {hits.num_queries}', fontsize=10)
