"""Sentences that warn of a gallery that gets worse while it is filled up, and say what to do."""

from __future__ import annotations

from collections.abc import Mapping

from mmfct.apis.plan_backfill.causes import Causes, Lengths
from mmfct.evaluation.backfill_dips import CONFIDENCE, Dip, Interval
from mmfct.evaluation.report import score_title
from mmfct.utils.tables import percent

# Order -> score -> fall of the curve.
Dips = Mapping[str, Mapping[str, Dip]]


def dip_warnings(dips: Dips, fractions: list[float], causes: Causes | None) -> list[str]:
    """Say which curves fall, why, and what to do.

    Args:
        dips: The falls that were found.
        fractions: Fraction of the gallery at each point of a curve.
        causes: What was found about the deepest of those that rise again; ``None`` without any.
    """
    warnings = [
        _warning(order, score, dip, fractions) for order, scores in dips.items() for score, dip in scores.items()
    ]
    return [*warnings, *_cause_sentences(causes)] if causes else warnings


def _warning(order: str, score: str, dip: Dip, fractions: list[float]) -> str:
    title, lowest = score_title(score), percent(dip.lowest)
    if dip.below_end is None:
        return (
            f'Recomputing the gallery makes it worse ({order}): {title} falls from {percent(dip.start)} to {lowest} % '
            f'({_points(-dip.depth, _turned(dip.below_start))}), because new embeddings are found less well than '
            'upgraded ones; keep the upgraded gallery.'
        )
    return (
        f'Filling up the gallery makes it worse before it gets better ({order}): {title} falls from '
        f'{percent(dip.start)} to {lowest} % with {percent(fractions[dip.point])} % recomputed '
        f'({_points(-dip.depth, _turned(dip.below_start))}), and ends at {percent(dip.end)} %.'
    )


def _cause_sentences(causes: Causes) -> list[str]:
    attraction = causes.attraction
    low, high = map(percent, attraction.interval)
    sentences = [
        f'There, {percent(attraction.nearest)} % of the queries ({100 * CONFIDENCE:g} % interval {low} to {high}) '
        f'have a recomputed item as the nearest neighbour, and {percent(attraction.recomputed)} % of the items are '
        f'recomputed ({causes.order}).'
    ]
    wait = (
        'Serve the upgraded gallery until the new one is complete, and switch then, or fill it up in an order whose '
        'curve does not fall.'
    )
    if causes.lengths is None:
        return [*sentences, f'The distance is cosine, so lengths are not the cause. {wait}']
    return [*sentences, *_length_sentences(causes.lengths, score_title(causes.score), wait)]


def _length_sentences(lengths: Lengths, title: str, wait: str) -> list[str]:
    low, high = (f'{end:+.4g}' for end in lengths.interval)
    sentences = [
        f'Upgraded vectors have a mean length of {lengths.upgraded:.4g}, and the new ones of the same items of '
        f'{lengths.new:.4g} (difference {lengths.new - lengths.upgraded:+.4g}, {100 * CONFIDENCE:g} % interval '
        f'{low} to {high}).'
    ]
    if not lengths.corrections:
        return [*sentences, f'There are too few items to tell whether other lengths would help. {wait}']
    names = dict(scale='multiplied by one factor', calibrated='given lengths by a linear fit')
    for name, correction in lengths.corrections.items():
        sentences.append(
            f'Upgraded vectors {names[name]}, learned on half of the items: on the other half {title} at that point '
            f'changes from {percent(correction.plain)} % by {_points(correction.change, correction.interval)}, and '
            f'before anything is recomputed by {_points(correction.at_start, correction.at_start_interval)}; the '
            f'curve {"still falls below both ends" if correction.dips else "no longer falls below both ends"}.'
        )
    best = lengths.best
    if best is None:
        return [*sentences, f'Lengths are not the cause. {wait}']
    slope, intercept = lengths.corrections[best].length
    what = (
        f'multiply each by {slope:.6g}'
        if best == 'scale'
        else f'give each the length {slope:.6g} times its own {"-" if intercept < 0 else "+"} {abs(intercept):.6g}'
    )
    rest = f' This is not the only cause: {wait[0].lower()}{wait[1:]}' if lengths.corrections[best].dips else ''
    return [
        *sentences,
        f'Correct the lengths of the upgraded vectors before the gallery is filled up: {what} (`correction` in '
        f'backfill.json).{rest}',
    ]


def _turned(interval: Interval) -> Interval:
    return -interval[1], -interval[0]


def _points(change: float, interval: Interval) -> str:
    low, high = (f'{100 * end:+.2f}' for end in interval)
    return f'{100 * change:+.2f} points, {100 * CONFIDENCE:g} % interval {low} to {high}'
