"""Sentences that warn of a gallery that gets worse while it is filled up, and say what to do."""

from __future__ import annotations

from collections.abc import Mapping

from mmfct.apis.plan_backfill.causes import Attraction, Causes, Lengths
from mmfct.apis.plan_backfill.corrections import Correction
from mmfct.evaluation.backfill_dips import CONFIDENCE, Dip, Interval
from mmfct.evaluation.report import score_title
from mmfct.functional.spread import SpreadFit
from mmfct.utils.tables import percent

# Order -> score -> fall of the curve.
Dips = Mapping[str, Mapping[str, Dip]]

CORRECTION_FILE = 'correction.npz'
_SHARE = f'{100 * CONFIDENCE:g} % interval'
_NAMES = dict(
    scale='Their lengths multiplied by one factor',
    calibrated='Their lengths set by a linear fit',
    spread='Their spread around the mean set to that of the new ones',
)
_WAIT = (
    'Serve the upgraded gallery until the new one is complete, and switch then, or fill it up in an order whose curve '
    'does not fall.'
)


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
    warnings = list(dict.fromkeys(warnings))  # all orders end alike
    return [*warnings, *_cause_sentences(causes)] if causes else warnings


def _warning(order: str, score: str, dip: Dip, fractions: list[float]) -> str:
    low, high = dip.below_start
    fall = f'{score_title(score)} falls from {percent(dip.start)} to {percent(dip.lowest)} %'
    change = _points(-dip.depth, (-high, -low))
    if dip.below_end is None:
        return (
            f'Recomputing the gallery makes it worse: {fall} ({change}), because the new model finds its own '
            'embeddings less well than upgraded ones.'
        )
    end = ', still below the start' if dip.end < dip.start else ''
    return (
        f'Filling up the gallery makes it worse before it gets better ({order}): {fall} with '
        f'{percent(fractions[dip.point])} % recomputed ({change}), and ends at {percent(dip.end)} %{end}.'
    )


def _cause_sentences(causes: Causes) -> list[str]:
    sentences = [
        _attraction_sentence(causes.attraction, causes.order),
        _length_sentence(causes.lengths, causes.distance),
    ]
    if not causes.corrections:
        return [*sentences, f'There are too few items to tell whether a correction would help. {_WAIT}']
    title = score_title(causes.score)
    sentences += [_correction_sentence(name, item, title) for name, item in causes.corrections.items()]
    if causes.best is None:
        return [*sentences, f'None of these is the cause. {_WAIT}']
    best = causes.corrections[causes.best]
    when = 'as soon as the filling begins, not before' if best.costs else 'before the gallery is filled up'
    rest = f' It is not the only cause: {_WAIT[0].lower()}{_WAIT[1:]}' if best.dips else ''
    return [
        *sentences,
        f'Correct the upgraded vectors that are not recomputed yet ({causes.best}: {_formula(best)}), {when}: '
        f'`mmfct correct TRANSFORM {CORRECTION_FILE} OUT`, then upgrade with OUT.{rest}',
    ]


def _attraction_sentence(attraction: Attraction, order: str) -> str:
    low, high = attraction.interval
    share = attraction.recomputed
    which = 'neither items that are recomputed nor others'
    if not low <= share <= high:
        which = 'items that are recomputed' if low > share else 'items that are not recomputed'
    return (
        f'At that point ({order}) queries prefer {which}: {percent(attraction.nearest)} % of them ({_SHARE} '
        f'{percent(low)} to {percent(high)}) have a recomputed one as the nearest neighbour, and {percent(share)} % '
        'of the items are recomputed.'
    )


def _length_sentence(lengths: Lengths, distance: str) -> str:
    low, high = (f'{end:+.4g}' for end in lengths.interval)
    text = (
        f'Upgraded vectors have a mean length of {lengths.upgraded:.4g}, and the new ones of the same items of '
        f'{lengths.new:.4g} (difference {lengths.new - lengths.upgraded:+.4g}, {_SHARE} {low} to {high}).'
    )
    return f'{text} The distance is cosine, for which lengths do not matter.' if distance == 'cosine' else text


def _correction_sentence(name: str, correction: Correction, title: str) -> str:
    return (
        f'{_NAMES[name]}, learned on half of the items: on the other half the lowest {title} goes from '
        f'{percent(correction.plain)} to {percent(correction.lowest)} % '
        f'({_points(correction.lowest - correction.plain, correction.interval)}), and the curve '
        f'{"still falls" if correction.dips else "no longer falls"} below both ends; before anything is recomputed '
        f'{title} changes by {_points(correction.at_start, correction.at_start_interval)}.'
    )


def _formula(correction: Correction) -> str:
    fit = correction.fit
    if isinstance(fit, SpreadFit):
        return f'{fit.factor:.6g} times the vector plus the `offset` in {CORRECTION_FILE}'
    if fit.intercept == 0:
        return f'multiply each by {fit.slope:.6g}'
    sign = '-' if fit.intercept < 0 else '+'
    return f'give each the length {fit.slope:.6g} times its own {sign} {abs(fit.intercept):.6g}'


def _points(change: float, interval: Interval) -> str:
    low, high = (f'{100 * end:+.2f}' for end in interval)
    return f'{100 * change:+.2f} points, {_SHARE} {low} to {high}'
