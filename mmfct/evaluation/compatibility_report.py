"""Read and print what :class:`CompatibilityMetric` measures."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmfct.utils.tables import markdown_table, percent

DEFAULT_PAIRS = ('old/old', 'new/old', 'new/upgraded', 'upgraded/upgraded', 'new/new')
UPGRADE_PAIR = 'new/upgraded'

_GAIN = re.compile(r'(?P<prefix>(?:.+/)?)update_gain_(?P<name>cmc\d+|map)')
_SCORE = re.compile(r'(?P<prefix>(?:.+/)?)(?P<pair>[^/]+/[^/]+)_(?P<name>cmc\d+|map)')


class CompatibilityScores(NamedTuple):
    """Metrics sorted by what they belong to; names are ``cmc1``, ``cmc5``, ..., ``map``."""

    pairs: dict[str, dict[str, float]]
    """Pair of roles -> name -> fraction."""
    gains: dict[str, float]
    """Name -> update gain, empty where it was not measured."""


def read_scores(metrics: Mapping[str, float]) -> CompatibilityScores:
    """Pick the scores of the pairs and the update gains out of a dictionary of metrics.

    Args:
        metrics: Result of one evaluation, with or without the prefix of the metric. Keys that are
            not of this metric are ignored.

    Returns:
        The scores, in the order of ``metrics``.

    Raises:
        ValueError: ``metrics`` holds no pair, or the results of several evaluations.
    """
    pairs: dict[str, dict[str, float]] = {}
    gains: dict[str, float] = {}
    prefixes = set()
    for key, value in metrics.items():
        # A prefixed gain, 'compatibility/update_gain_map', also reads as a pair: ask for it first.
        if match := _GAIN.fullmatch(key):
            gains[match['name']] = float(value)
        elif match := _SCORE.fullmatch(key):
            pairs.setdefault(match['pair'], {})[match['name']] = float(value)
        else:
            continue
        prefixes.add(match['prefix'])
    if not pairs:
        raise ValueError(
            f"`metrics` must hold scores of at least one pair of roles, such as 'new/new_map', got {sorted(metrics)!r}"
        )
    if len(prefixes) > 1:
        raise ValueError(f'`metrics` must hold one evaluation, got several with prefixes {sorted(prefixes)!r}')
    return CompatibilityScores(pairs, gains)


def pair_title(pair: str) -> str:
    """Name of a pair as the field writes it: ``new/upgraded`` is ``new/h(old)``."""
    return '/'.join('h(old)' if role == 'upgraded' else role for role in pair.split('/'))


def score_title(name: str) -> str:
    """Name of a score as the field writes it: ``cmc1`` is ``CMC-1``, ``map`` is ``mAP``."""
    return 'mAP' if name == 'map' else f'CMC-{name.removeprefix("cmc")}'


def compatibility_table(metrics: Mapping[str, float], pairs: Sequence[str] | None = None) -> str:
    """Markdown table with a row for each pair (query/gallery), in percent.

    The last column is the share of the gap in mAP between old/old and new/new that the upgraded
    gallery recovers. It is left out where that pair is not shown; a score that could not be
    measured is shown as ``-``.

    Args:
        metrics: Result of one evaluation, with or without the prefix of the metric.
        pairs: Rows of the table; ``None`` for all pairs in ``metrics``.

    Returns:
        The lines of the table, without a line break at the end.

    Raises:
        ValueError: ``metrics`` holds no pair, or the results of several evaluations.
        KeyError: A pair of ``pairs`` was not measured.
    """
    scores = read_scores(metrics)
    pairs = tuple(scores.pairs) if pairs is None else tuple(pairs)
    for pair in pairs:
        if pair not in scores.pairs:
            raise KeyError(f'`pairs` must be among {list(scores.pairs)!r}, got {pair!r}')

    names = list(next(iter(scores.pairs.values())))
    rows = [['query/gallery', *(f'{score_title(name)} (%)' for name in names)]]
    for pair in pairs:
        values = (scores.pairs[pair].get(name, math.nan) for name in names)
        rows.append([pair_title(pair), *map(percent, values)])
    if UPGRADE_PAIR in pairs:
        gain = percent(scores.gains.get('map', math.nan))
        rows[0].append('mAP gap recovered (%)')
        for pair, row in zip(pairs, rows[1:], strict=True):
            row.append(gain if pair == UPGRADE_PAIR else '')
    return markdown_table(rows)
