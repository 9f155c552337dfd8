"""Table and parsing of the results."""

from __future__ import annotations

import math

import pytest

from mmfct.evaluation import compatibility_table
from mmfct.evaluation.compatibility_report import read_scores

METRICS = {
    'old/old_cmc1': 0.464,
    'old/old_cmc5': 0.651,
    'old/old_map': 0.283,
    'new/old_cmc1': math.nan,
    'new/old_cmc5': math.nan,
    'new/old_map': math.nan,
    'new/upgraded_cmc1': 0.651,
    'new/upgraded_cmc5': 0.827,
    'new/upgraded_map': 0.44,
    'upgraded/upgraded_cmc1': 0.6,
    'upgraded/upgraded_cmc5': 0.7,
    'upgraded/upgraded_map': 0.4,
    'num_queries': 50000,
    'update_gain_cmc1': 0.85,
    'update_gain_map': 0.9075,
}


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines()]


def test_table_has_a_row_per_pair_in_the_names_of_the_field():
    header, rule, *rows = cells(compatibility_table(METRICS))
    gain_title = 'mAP gap recovered (%)'
    assert header == ['query/gallery', 'CMC-1 (%)', 'CMC-5 (%)', 'mAP (%)', gain_title]
    assert all(set(cell) <= set('-:') for cell in rule)
    assert rows == [
        ['old/old', '46.40', '65.10', '28.30', ''],
        ['new/old', '-', '-', '-', ''],
        ['new/h(old)', '65.10', '82.70', '44.00', '90.75'],
        ['h(old)/h(old)', '60.00', '70.00', '40.00', ''],
    ]


def test_lines_of_the_table_are_aligned():
    assert len({len(line) for line in compatibility_table(METRICS).splitlines()}) == 1


def test_table_of_chosen_pairs_keeps_their_order():
    _, _, *rows = cells(compatibility_table(METRICS, ('new/upgraded', 'old/old')))
    assert [row[0] for row in rows] == ['new/h(old)', 'old/old']


def test_table_without_the_upgrade_has_no_column_for_the_gap():
    header, *_ = cells(compatibility_table(METRICS, ('old/old',)))
    assert header == ['query/gallery', 'CMC-1 (%)', 'CMC-5 (%)', 'mAP (%)']


def test_unmeasured_gain_is_a_dash():
    metrics = {key: value for key, value in METRICS.items() if 'update_gain' not in key}
    assert cells(compatibility_table(metrics, ('new/upgraded',)))[-1][-1] == '-'


def test_score_that_one_pair_lacks_is_a_dash():
    metrics = {'new/new_cmc1': 0.5, 'new/new_map': 0.25, 'old/old_map': 0.125}
    assert cells(compatibility_table(metrics))[-1] == ['old/old', '-', '12.50']


def test_other_k_make_other_columns():
    header, *_ = cells(compatibility_table({'new/new_cmc10': 0.5, 'new/new_map': 0.25}))
    assert header == ['query/gallery', 'CMC-10 (%)', 'mAP (%)']


@pytest.mark.parametrize('prefix', ['compatibility', 'test/compatibility'])
def test_prefix_and_foreign_keys_are_ignored(prefix):
    prefixed = {f'{prefix}/{key}': value for key, value in METRICS.items()}
    prefixed |= {'accuracy/top1': 0.7, 'loss': 0.1}
    assert compatibility_table(prefixed) == compatibility_table(METRICS)
    assert read_scores(prefixed).gains == {'cmc1': 0.85, 'map': 0.9075}


def test_metrics_without_a_pair_are_refused():
    with pytest.raises(ValueError, match=r"`metrics` must hold scores .* got \['accuracy/top1'\]"):
        compatibility_table({'accuracy/top1': 0.7})


def test_two_evaluations_at_once_are_refused():
    metrics = {'l2/new/new_map': 0.5, 'cosine/new/new_map': 0.4}
    with pytest.raises(ValueError, match=r"one evaluation, got .* \['cosine/', 'l2/'\]"):
        compatibility_table(metrics)


def test_pair_that_was_not_measured_is_refused():
    with pytest.raises(KeyError, match=r"`pairs` must be among .* got 'new/new'"):
        compatibility_table(METRICS, ('new/new',))
