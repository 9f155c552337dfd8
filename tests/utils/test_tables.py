"""Tables in the terminal."""

from __future__ import annotations

import math

from mmfct.utils.tables import markdown_table, percent


def test_percent_of_what_could_not_be_measured():
    assert [percent(0.12345), percent(1), percent(math.nan)] == ['12.35', '100.00', '-']


def test_columns_are_aligned():
    assert markdown_table([['pair', 'mAP (%)'], ['new/upgraded', '1.00']]).splitlines() == [
        '| pair         | mAP (%) |',
        '| ------------ | ------: |',
        '| new/upgraded |    1.00 |',
    ]
