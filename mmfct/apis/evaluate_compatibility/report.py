"""Tables, numbers for programs and pictures of an evaluation of galleries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmfct.apis.evaluate_compatibility.embedded_set import EmbeddedSet
from mmfct.apis.evaluate_compatibility.evaluation import Evaluation, gate_table
from mmfct.apis.evaluate_compatibility.gate import GateDecision
from mmfct.apis.training.plots import plot_compatibility_bars, plot_embedding_projection
from mmfct.evaluation.compatibility_report import pair_title, score_title
from mmfct.utils.figures import COLORS, save_png
from mmfct.utils.files import write_atomically

_PROJECTED = ('old', 'upgraded', 'new')


def write_evaluation(evaluation: Evaluation, galleries: Mapping[str, EmbeddedSet], folder: Path) -> None:
    """Write the scores of `evaluate_compatibility` and print the table; what an earlier one decided is removed.

    Args:
        evaluation: What was found, without a decision.
        galleries: The galleries by name.
        folder: Where the files go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ('gate.md', 'gate.png', 'embeddings.png'):
        (folder / name).unlink(missing_ok=True)
    _write_table(evaluation.table(), folder / 'compatibility.md')
    _write_numbers(evaluation, folder)
    plot_compatibility_bars(evaluation.flat(), folder / 'compatibility.png')
    if _same_items(galleries):
        goal = galleries['new']
        embeddings = {name: galleries[name].embeddings[galleries[name].order_of(goal)] for name in _PROJECTED}
        plot_embedding_projection(embeddings, goal.labels, folder / 'embeddings.png')


def write_gate(evaluation: Evaluation, decision: GateDecision, folder: Path) -> None:
    """Add what a gate decided to the files of `write_evaluation`, and print it.

    Args:
        evaluation: What was found, with the decision.
        decision: The decision.
        folder: Where the files are.
    """
    _write_table(gate_table(decision), folder / 'gate.md')
    _write_numbers(evaluation, folder)
    plot_gate(decision, folder / 'gate.png')


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
    axes.set_xlabel(
        f'{score_title(rule.metric)} of {pair_title(rule.candidate)} minus {pair_title(rule.baseline)} (points)'
    )
    axes.set_ylabel('queries')
    axes.spines[['top', 'right']].set_visible(False)
    verdict = 'safe to switch' if decision.safe else 'not safe to switch'
    axes.set_title(f'{verdict}: {decision.better} queries better, {decision.worse} worse of {decision.num_queries}')
    axes.legend(frameon=False)
    return save_png(figure, path)


def _same_items(galleries: Mapping[str, EmbeddedSet]) -> bool:
    """Whether there are galleries of the same items before and after the upgrade and of the new model."""
    if not set(_PROJECTED) <= galleries.keys():
        return False
    goal = galleries['new']
    if galleries['upgraded'].embeddings.shape[1] != goal.embeddings.shape[1]:
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


def _write_numbers(evaluation: Evaluation, folder: Path) -> None:
    numbers = json.dumps(evaluation.to_json(), indent=1, allow_nan=False)
    write_atomically(folder / 'compatibility.json', f'{numbers}\n'.encode())
