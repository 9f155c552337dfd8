"""Pictures of a compatibility evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mmfct.evaluation.pair import NEW_UPGRADED
from mmfct.evaluation.report import closed_gaps, list_titles, score_title, small_gaps
from mmfct.evaluation.scores import Scores
from mmfct.utils.figures import COLORS, clean_axes, legend_below, save_png, scatter_classes, set_square_limits

# Role -> title of its panel, role whose principal axes it is drawn in.
_PANELS = {
    'old': ('stored gallery: old(x)', 'old'),
    'upgraded': ('upgraded gallery: h(old(x))', 'new'),
    'new': ('goal: new(x)', 'new'),
}


def plot_compatibility_bars(scores: Scores, path: str | Path) -> Path:
    """Draw CMC and mAP of every pair as grouped bars, with the update gain of new/upgraded in the title.

    Args:
        scores: Scores of at least one pair.
        path: PNG file to write.

    Returns:
        The written file.

    Raises:
        ValueError: If there is no pair, or ``path`` is not a PNG file.
    """
    from matplotlib.figure import Figure

    names = scores.names
    figure = Figure(figsize=(2 + 1.6 * len(scores.pairs), 4.5), layout='constrained')
    axes = figure.add_subplot()
    width = 0.84 / len(names)
    for i, name in enumerate(names):
        percents = [100 * entry.means[name] for entry in scores.pairs.values()]
        offsets = [x + (i - (len(names) - 1) / 2) * width for x in range(len(percents))]
        heights = [0 if math.isnan(percent) else percent for percent in percents]
        color = COLORS[i % len(COLORS)]
        bars = axes.bar(offsets, heights, 0.94 * width, color=color, label=score_title(name))
        values = ['n/a' if math.isnan(percent) else f'{percent:.1f}' for percent in percents]
        axes.bar_label(bars, values, padding=2, fontsize=9)
    axes.set_xticks(range(len(scores.pairs)), [pair.title for pair in scores.pairs])
    axes.set_xlabel('query / gallery')
    axes.set_ylabel('score (%)')
    axes.margins(y=0.1)
    clean_axes(axes, grid='y')
    axes.set_title(_gain_title(scores))
    legend_below(figure)
    return save_png(figure, path)


def plot_embedding_projection(
    embeddings: Mapping[str, Tensor],
    labels: Tensor,
    path: str | Path,
    *,
    class_names: Mapping[int, str] | None = None,
    max_points: int = 2000,
    seed: int = 0,
) -> Path:
    """Draw old, upgraded and new embeddings of the same images, reduced to two dimensions by PCA.

    ``upgraded`` and ``new`` are in one space: they share the principal axes of ``new`` and the limits of the panel, so
    an image that is at the same place in both was upgraded well. ``old`` is in a space of its own and has its own
    principal axes.

    Args:
        embeddings: ``old``, ``upgraded`` and ``new`` -> embeddings of shape (G, D).
        labels: Class indices of shape (G,).
        path: PNG file to write.
        class_names: Label -> name of the class, where it is known.
        max_points: Number of images to draw; of more, a random choice is drawn.
        seed: Seed of that choice.

    Returns:
        The written file.

    Raises:
        KeyError: If one of the three roles is missing.
        ValueError: If shapes do not fit, a drawn embedding is not finite, ``max_points`` is not positive, or ``path``
            is not a PNG file.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if max_points < 1:
        raise ValueError(f'`max_points` must be at least 1, got {max_points!r}')
    _check_embeddings(embeddings, labels)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(labels), generator=generator)[:max_points]
    drawn = {role: _choose(embeddings[role], chosen, role) for role in _PANELS}
    bases = {role: _principal_axes(drawn[role]) for role in ('old', 'new')}
    points = {role: (drawn[role] - bases[space][0]) @ bases[space][1] for role, (_, space) in _PANELS.items()}

    figure = Figure(figsize=(13, 5), layout=ConstrainedLayoutEngine(compress=True, w_pad=0.1))
    panels = dict(zip(_PANELS, figure.subplots(1, len(_PANELS)), strict=True))
    for role, (title, space) in _PANELS.items():
        axes, shares = panels[role], bases[space][2]
        axes.set_title(title)
        axes.set_xlabel(f'PC 1 of {space}(x), {100 * shares[0]:.0f} % of variance')
        axes.set_ylabel(f'PC 2 of {space}(x), {100 * shares[1]:.0f} % of variance')
    set_square_limits([panels['old']], points['old'])
    shared = [panels['upgraded'], panels['new']]
    set_square_limits(shared, torch.cat([points['upgraded'], points['new']]))
    scatter_classes(figure, panels, points, labels.cpu()[chosen], class_names)
    how_many = f'{len(labels)}' if len(chosen) == len(labels) else f'{len(chosen)} of {len(labels)}'
    figure.suptitle(f'The same {how_many} images before and after the upgrade, coloured by class')
    return save_png(figure, path)


def _gain_title(scores: Scores) -> str:
    gains = [
        f'{score_title(name)} {100 * gain:.1f} %'
        for name, gain in scores.gains.get(NEW_UPGRADED, {}).items()
        if not math.isnan(gain)
    ]
    closed = closed_gaps(scores.gaps) if scores.gains else {}
    small = small_gaps(scores.gaps, scores.upgraded)
    if closed and not gains and not small:
        return 'No clear gap to recover: the new model is not clearly better than the old one'
    lines = [f'Update gain: {", ".join(gains) or ("too small a gap" if small else "not measured")}']
    lines += [f'no gap to recover in {list_titles(closed)}'] if closed else []
    lines += [f'too small a gap in {list_titles(small)}'] if small and gains else []
    return '\n'.join(lines)


def _check_embeddings(embeddings: Mapping[str, Tensor], labels: Tensor) -> None:
    for role in _PANELS:
        if role not in embeddings:
            raise KeyError(f'`embeddings` must have the role {role!r}, got {sorted(embeddings)!r}')
    shapes = {role: tuple(embeddings[role].shape) for role in _PANELS}
    if any(len(shape) != 2 or shape[0] != len(labels) for shape in shapes.values()):
        raise ValueError(f'`embeddings` must have a row for each of the {len(labels)} labels, got {shapes!r}')
    if len(labels) == 0:
        raise ValueError('`labels` must have at least one row, got 0')
    if shapes['upgraded'] != shapes['new']:
        raise ValueError(f"'upgraded' must be as wide as 'new' in `embeddings`, got {shapes!r}")


def _choose(rows: Tensor, chosen: Tensor, role: str) -> Tensor:
    """Chosen rows of (G, D) in double precision, refused unless they are finite."""
    rows = rows.detach()[chosen.to(rows.device)].cpu().double()
    if not torch.isfinite(rows).all():
        raise ValueError(f'`embeddings` must be finite, got NaN or infinity for role {role!r}')
    return rows


def _principal_axes(rows: Tensor) -> tuple[Tensor, Tensor, list[float]]:
    """First two principal axes of rows (N, D): mean (D,), axes (D, 2), shares of the variance."""
    mean = rows.mean(dim=0)
    _, singular, axes = torch.linalg.svd(rows - mean, full_matrices=False)
    axes, variances = axes[:2], singular.square()
    # The sign is arbitrary; fix it, or the same data could be drawn mirrored elsewhere.
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    axes = axes * torch.where(largest < 0, -1.0, 1.0)
    missing = 2 - len(axes)  # a single row or a width of 1 has one axis only
    axes = torch.cat([axes, axes.new_zeros(missing, axes.shape[1])])
    shares = (variances[:2] / variances.sum().clamp_min(1e-300)).tolist() + missing * [0.0]
    return mean, axes.T, shares
