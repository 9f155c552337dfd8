"""Tables in the terminal."""

from __future__ import annotations

import csv
import math

from mmfct.utils.tables import csv_table, markdown_table, percent


def test_percent_of_what_could_not_be_measured():
    assert [percent(0.12345), percent(1), percent(math.nan)] == ['12.35', '100.00', '-']


def test_columns_are_aligned():
    assert markdown_table([['pair', 'mAP (%)'], ['new/upgraded', '1.00']]).splitlines() == [
        '| pair         | mAP (%) |',
        '| ------------ | ------: |',
        '| new/upgraded |    1.00 |',
    ]


def test_cells_of_any_bytes_come_back_from_csv(tmp_path):
    rows = [['row', 'id'], [0, 'a,"b"'], [1, b'\xff caf\xc3\xa9.png'.decode(errors='surrogateescape')]]
    content = csv_table(rows)
    assert content.splitlines()[2] == b'1,\xff caf\xc3\xa9.png'
    lines = content.decode(errors='surrogateescape').splitlines()
    assert list(csv.reader(lines)) == [[str(cell) for cell in row] for row in rows]
