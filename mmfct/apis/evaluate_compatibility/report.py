"""Tables, metrics as JSON, and pictures of an evaluation of galleries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmfct.apis.evaluate_compatibility.evaluation import Evaluation
from mmfct.apis.evaluate_compatibility.gate import GateDecision
from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.evaluation.class_names import class_folders
from mmfct.evaluation.plots import plot_compatibility_bars, plot_embedding_projection
from mmfct.evaluation.report import compatibility_table, score_title
from mmfct.utils.figures import COLORS, save_png
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json
from mmfct.utils.tables import markdown_table, percent

_PROJECTED = ('old', 'upgraded', 'new')


def write_evaluation(evaluation: Evaluation, galleries: Mapping[str, StoredSet], folder: Path) -> None:
    """Write the scores of `evaluate_compatibility` and print the table; remove the decision of an earlier run.

    Args:
        evaluation: What was found, without a decision.
        galleries: The galleries by name.
        folder: Where the files go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ('gate.md', 'gate.png', 'embeddings.png'):
        (folder / name).unlink(missing_ok=True)
    _write_table(compatibility_table(evaluation.scores, with_queries=True), folder / 'compatibility.md')
    _write_json(evaluation, folder)
    plot_compatibility_bars(evaluation.scores, folder / 'compatibility.png')
    if _same_items(galleries):
        goal = galleries['new']
        embeddings = {name: galleries[name].items.embeddings[galleries[name].order_of(goal)] for name in _PROJECTED}
        ids, labels = list(map(str, goal.items.ids.tolist())), goal.items.labels.tolist()
        names = goal.label_names or class_folders(ids, labels)
        plot_embedding_projection(embeddings, goal.items.labels, folder / 'embeddings.png', class_names=names)


def write_gate(evaluation: Evaluation, decision: GateDecision, folder: Path) -> None:
    """Add what a gate decided to the files of `write_evaluation`, and print it.

    Args:
        evaluation: What was found, with the decision.
        decision: The decision.
        folder: Where the files are.
    """
    _write_table(gate_table(decision), folder / 'gate.md')
    _write_json(evaluation, folder)
    plot_gate(decision, folder / 'gate.png')


def gate_table(decision: GateDecision) -> str:
    """Markdown table of a decision."""
    rule = decision.rule
    baseline, candidate = rule.pairs
    low, high = decision.interval
    rows = [['', score_title(rule.metric)]]
    rows += [
        [f'{baseline.title} (%)', percent(decision.baseline)],
        [f'{candidate.title} (%)', percent(decision.candidate)],
        ['difference (points)', f'{100 * decision.difference:+.2f}'],
        [f'{100 * rule.confidence:g} % interval over queries', f'{100 * low:+.2f} to {100 * high:+.2f}'],
        ['loss that is tolerated (points)', f'{100 * rule.margin:.2f}'],
        ['queries', str(decision.num_queries)],
        ['queries that got better', str(decision.better)],
        ['queries that got worse', str(decision.worse)],
        ['queries whose nearest neighbour no longer matches', str(decision.lost)],
        ['safe to switch', 'yes' if decision.safe else 'NO'],
    ]
    return markdown_table(rows)


def plot_gate(decision: GateDecision, path: str | Path) -> Path:
    """Draw how much each query gained or lost, with the mean and its interval.

    Args:
        decision: Decision of a gate.
        path: PNG file to write.

    Returns:
        The written file.
    """
    from matplotlib.figure import Figure

    rule = decision.rule
    baseline, candidate = rule.pairs
    figure = Figure(figsize=(7, 4), layout='constrained')
    axes = figure.add_subplot()
    points = 100 * decision.differences.numpy()
    # An odd number of bins with symmetric limits: queries that did not change have the middle one.
    counts, edges = np.histogram(points, np.linspace(-1, 1, 42) * max(1e-9, float(np.abs(points).max())))
    colors = [COLORS[3]] * 20 + [COLORS[7]] + [COLORS[0]] * 20
    axes.bar(edges[:-1], counts, np.diff(edges), align='edge', color=colors)
    axes.axvspan(*(100 * end for end in decision.interval), color=COLORS[1], alpha=0.4, label='interval of the mean')
    axes.axvline(100 * decision.difference, color=COLORS[1], label='mean')
    axes.axvline(-100 * rule.margin, color='black', linestyle=':', label='limit')
    axes.set_xlabel(f'{score_title(rule.metric)} of {candidate.title} minus {baseline.title} (points)')
    axes.set_ylabel('queries')
    axes.spines[['top', 'right']].set_visible(False)
    verdict = 'safe to switch' if decision.safe else 'not safe to switch'
    axes.set_title(f'{verdict}: {decision.better} queries better, {decision.worse} worse of {decision.num_queries}')
    axes.legend(frameon=False)
    return save_png(figure, path)


def _same_items(galleries: Mapping[str, StoredSet]) -> bool:
    """Whether there are galleries of the same items before and after the upgrade and of the new model."""
    if not set(_PROJECTED) <= galleries.keys():
        return False
    goal = galleries['new']
    if galleries['upgraded'].items.width != goal.items.width:
        return False
    try:
        for name in _PROJECTED:
            galleries[name].order_of(goal)
    except ValueError:
        return False
    return True


def _write_table(table: str, file: Path) -> None:
    write_atomically(file, f'{table}\n'.encode())
    print_log(f'{file}\n{table}', 'current')


def _write_json(evaluation: Evaluation, folder: Path) -> None:
    write_atomically(folder / 'compatibility.json', encode_json(evaluation.to_json()))
