"""The table of the scores."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from mmfct.evaluation import compatibility_table
from mmfct.evaluation.gap import Gap
from mmfct.evaluation.pair import NEW_UPGRADED, Pair
from mmfct.evaluation.report import gap_notes, score_title
from mmfct.evaluation.scores import Scores
from mmfct.functional import MeanScores


def make_scores(pairs: dict[str, tuple[float, ...]], names: tuple[str, ...] = ('cmc1', 'cmc5', 'map'), **gains):
    entries = {Pair.parse(pair): MeanScores(dict(zip(names, row, strict=True)), 50000) for pair, row in pairs.items()}
    return Scores(entries, {NEW_UPGRADED: gains} if NEW_UPGRADED in entries else {})


PAIRS = {
    'old/old': (0.464, 0.651, 0.283),
    'new/old': (math.nan, math.nan, math.nan),
    'new/upgraded': (0.651, 0.827, 0.44),
    'upgraded/upgraded': (0.6, 0.7, 0.4),
}
SCORES = make_scores(PAIRS, cmc1=0.85, map=0.9075)
GAIN_TITLE = 'mAP gap recovered (%)'


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines()]


def test_table_has_a_row_per_pair_in_the_names_of_the_field():
    header, rule, *rows = cells(compatibility_table(SCORES))
    assert header == ['query/gallery', 'CMC-1 (%)', 'CMC-5 (%)', 'mAP (%)', GAIN_TITLE]
    assert all(set(cell) <= set('-:') for cell in rule)
    assert rows == [
        ['old/old', '46.40', '65.10', '28.30', ''],
        ['new/old', '-', '-', '-', ''],
        ['new/h(old)', '65.10', '82.70', '44.00', '90.75'],
        ['h(old)/h(old)', '60.00', '70.00', '40.00', ''],
    ]


def test_number_of_queries():
    header, _, first, *_ = cells(compatibility_table(SCORES, with_queries=True))
    assert header == ['query/gallery', 'CMC-1 (%)', 'CMC-5 (%)', 'mAP (%)', 'queries', GAIN_TITLE]
    assert first == ['old/old', '46.40', '65.10', '28.30', '50000', '']


def test_lines_of_the_table_are_aligned():
    assert len({len(line) for line in compatibility_table(SCORES).splitlines()}) == 1


def test_table_keeps_the_order_of_the_pairs():
    _, _, *rows = cells(compatibility_table(make_scores({pair: PAIRS[pair] for pair in ('new/upgraded', 'old/old')})))
    assert [row[0] for row in rows] == ['new/h(old)', 'old/old']


def test_table_without_the_upgrade_has_no_column_for_the_gap():
    header, *_ = cells(compatibility_table(make_scores({'old/old': PAIRS['old/old']})))
    assert header == ['query/gallery', 'CMC-1 (%)', 'CMC-5 (%)', 'mAP (%)']


@pytest.mark.parametrize('gains', [{}, dict(map=math.nan)])
def test_unmeasured_gain_is_a_dash(gains):
    assert cells(compatibility_table(make_scores(PAIRS, **gains)))[4][-1] == '-'


def test_a_new_model_that_is_not_better_is_said_first():
    gaps = dict(
        cmc1=Gap(0.93, 0.91, (-0.04, -0.001)), cmc5=Gap(0.9, 0.91, (-0.01, 0.03)), map=Gap(0.4, 0.5, (0.05, 0.2))
    )
    scores = replace(SCORES, gaps=gaps, unlabelled=dict(images=(10, 2)))
    first, *_, last = compatibility_table(scores).splitlines()
    assert first == (
        'The new model is worse than the old one in CMC-1 and not clearly better in CMC-5, so there is no '
        'clear gap to recover there '
        '(new/new minus old/old, in points: CMC-1 -2.00, 95 % interval -4.00 to -0.10; CMC-5 +1.00, 95 % interval '
        '-1.00 to +3.00).'
    )
    assert last.startswith('2 of 10 images have no class')
    assert compatibility_table(replace(scores, gaps=dict(map=gaps['map']))).startswith('| query/gallery')
    assert 'not clearly better than the old one in mAP, so there' in gap_notes(dict(map=Gap(0.4, 0.4)))[0]


def test_a_gap_that_is_too_small_to_speak_of_is_said_in_points():
    gaps = dict(cmc1=Gap(0.4, 0.5, (0.06, 0.14)), map=Gap(0.63, 0.656, (0.002, 0.05)))
    assert gap_notes(gaps) == gap_notes(gaps, [dict(cmc1=0.52, map=0.655)]) == []
    (note,) = gap_notes(gaps, [dict(cmc1=0.52, map=0.655), dict(cmc1=0.52, map=0.71)])
    assert note == (
        'The new model is better than the old one in mAP, but by too little to speak of a share of the gap '
        '(new/new minus old/old, in points: mAP +2.60, 95 % interval +0.20 to +5.00): ask more queries.'
    )


def test_score_that_one_pair_lacks_is_a_dash():
    scores = make_scores({'new/new': (0.5, 0.25), 'old/old': (math.nan, 0.125)}, ('cmc1', 'map'))
    assert cells(compatibility_table(scores))[-1] == ['old/old', '-', '12.50']


def test_other_k_make_other_columns():
    header, *_ = cells(compatibility_table(make_scores({'new/new': (0.5, 0.25)}, ('cmc10', 'map'))))
    assert header == ['query/gallery', 'CMC-10 (%)', 'mAP (%)']
    assert [score_title(name) for name in ('cmc1', 'map')] == ['CMC-1', 'mAP']


def test_scores_without_a_pair_are_refused():
    with pytest.raises(ValueError, match="at least one pair, such as 'new/new', got none"):
        compatibility_table(Scores())
