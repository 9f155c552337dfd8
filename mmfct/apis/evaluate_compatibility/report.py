"""Tables, metrics as JSON, and pictures of an evaluation of galleries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmengine.logging import print_log

from mmfct.apis.evaluate_compatibility.agreement import CONFIDENCE, NEIGHBOURS, RECALLS, Agreement
from mmfct.apis.evaluate_compatibility.evaluation import Evaluation
from mmfct.apis.evaluate_compatibility.gate import GateDecision
from mmfct.apis.evaluate_compatibility.gate_report import gate_lines, plot_gate
from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.evaluation.class_names import class_folders
from mmfct.evaluation.plots import plot_compatibility_bars, plot_embedding_projection
from mmfct.evaluation.report import score_title, scores_table
from mmfct.utils.figures import COLORS, clean_axes, legend_below, save_png
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
    _write_text('\n\n'.join(evaluation_lines(evaluation)), folder / 'compatibility.md')
    _write_json(evaluation, folder)
    if evaluation.scores.pairs:
        plot_compatibility_bars(evaluation.scores, folder / 'compatibility.png')
    elif evaluation.agreement:
        plot_agreement(evaluation.agreement, folder / 'compatibility.png')
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
    _write_text('\n\n'.join([*evaluation.first_notes, *gate_lines(decision)]), folder / 'gate.md')
    _write_json(evaluation, folder)
    plot_gate(decision, folder / 'gate.png')


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """Paragraphs and tables: whether the new model is better, the scores, the agreement, and what does not count."""
    parts = list(evaluation.first_notes)
    if evaluation.scores.pairs:
        parts.append(scores_table(evaluation.scores, with_queries=True))
    if evaluation.agreement:
        parts += [agreement_title(evaluation.agreement), agreement_table(evaluation.agreement)]
    return [*parts, *evaluation.notes]


def agreement_title(agreement: Agreement) -> str:
    """What the table of an agreement shows, in a sentence."""
    counts = ' and '.join(map(str, NEIGHBOURS))
    return (
        f'Agreement with the new model: of its own {counts} nearest neighbours of a query (new/new), the share that '
        f'is found ({agreement.num_queries} queries among {agreement.num_items} items).'
    )


def agreement_table(agreement: Agreement) -> str:
    """Markdown table of the recalls of every pair, each with its confidence interval, in percent."""
    interval = f'{100 * CONFIDENCE:g} % interval'
    rows = [['query/gallery', *(cell for name in RECALLS for cell in (f'{score_title(name)} (%)', interval))]]
    for pair, recalls in agreement.recalls.items():
        row = [pair.title]
        for name, values in recalls.items():
            row += [percent(values.mean().item()), ' to '.join(map(percent, agreement.intervals[pair][name]))]
        rows.append(row)
    return markdown_table(rows)


def plot_agreement(agreement: Agreement, path: str | Path) -> Path:
    """Draw the recalls of every pair as grouped bars with their intervals.

    Args:
        agreement: The agreement.
        path: PNG file to write.

    Returns:
        The written file.
    """
    from matplotlib.figure import Figure

    pairs = list(agreement.recalls)
    figure = Figure(figsize=(3 + 1.6 * len(pairs), 4.5), layout='constrained')
    axes = figure.add_subplot()
    for place, name in enumerate(RECALLS):
        means = [100 * agreement.recalls[pair][name].mean().item() for pair in pairs]
        ends = [[100 * end for end in agreement.intervals[pair][name]] for pair in pairs]
        reach = [
            [max(0.0, mean - low) for mean, (low, _) in zip(means, ends, strict=True)],
            [max(0.0, high - mean) for mean, (_, high) in zip(means, ends, strict=True)],
        ]
        offsets = [x + 0.42 * (place - 0.5) for x in range(len(pairs))]
        bars = axes.bar(offsets, means, 0.4, yerr=reach, capsize=3, color=COLORS[place], label=score_title(name))
        axes.bar_label(bars, [f'{mean:.1f}' for mean in means], padding=2, fontsize=9)
    axes.set_xticks(range(len(pairs)), [pair.title for pair in pairs])
    axes.set_xlabel('query / gallery')
    axes.set_ylabel('neighbours of new/new that are found (%)')
    axes.margins(y=0.1)
    clean_axes(axes, grid='y')
    axes.set_title('Agreement with the new model, without labels')
    legend_below(figure)
    return save_png(figure, path)


def _same_items(galleries: Mapping[str, StoredSet]) -> bool:
    """Whether there are labelled galleries of the same items before and after the upgrade and of the new model."""
    if not set(_PROJECTED) <= galleries.keys():
        return False
    goal = galleries['new']
    if galleries['upgraded'].items.width != goal.items.width or not goal.items.is_labelled:
        return False
    try:
        for name in _PROJECTED:
            galleries[name].order_of(goal)
    except ValueError:
        return False
    return True


def _write_text(text: str, file: Path) -> None:
    write_atomically(file, f'{text}\n'.encode())
    print_log(f'{file}\n{text}', 'current')


def _write_json(evaluation: Evaluation, folder: Path) -> None:
    write_atomically(folder / 'compatibility.json', encode_json(evaluation.to_json()))
