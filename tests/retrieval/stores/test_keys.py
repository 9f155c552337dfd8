"""Tests of the survey of ids and labels."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.retrieval.stores.keys import Keys, LabelNumbers, survey_keys


def survey(ids, labels=None, **options):
    """Survey rows in batches of two."""

    def batches():
        for start in range(0, len(ids), 2):
            yield Keys(ids[start : start + 2], None if labels is None else labels[start : start + 2])

    return survey_keys(batches, 'S', **options)


def test_ids():
    found = survey(['a', 'long', 3])
    assert (found.rows, found.id_dtype, found.labels) == (3, '<U4', None)
    assert survey(['a', 'b' * 300]).id_dtype == 'text'


@pytest.mark.parametrize(
    ('ids', 'message'),
    [
        ([], 'S must have a row, got none'),
        (['a', 'b', None], 'must be texts or integers, got a missing one'),
        (['a', ''], "got an empty one after 'a'"),
        ([1.5], 'must be texts or integers, got 1.5'),
        (['a', 'b', 'c', 'a', 'c', 'c'], "must be unique, got 2 that are not, such as 'a', 2 times"),
        (['1', 1], "such as '1', 2 times"),
    ],
)
def test_wrong_ids_are_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        survey(ids)


def test_equal_hashes_are_no_equal_ids(monkeypatch):
    monkeypatch.setattr('mmfct.retrieval.stores.keys.hash', lambda text: len(text), raising=False)
    assert survey(['a', 'b', 'cc', 'dd', 'ee']).rows == 5
    with pytest.raises(ValueError, match="got 1 that are not, such as 'b'"):
        survey(['a', 'b', 'cc', 'b'])


@pytest.mark.parametrize(
    ('values', 'parse', 'rows', 'names', 'unlabelled'),
    [
        ([3, None, -1, 0], False, [3, -1, -1, 0], {}, 2),
        ([2.0, float('nan'), 0.0, 1.0], False, [2, -1, 0, 1], {}, 1),
        (['b', 'a', None, ''], False, [1, 0, -1, -1], dict(a=0, b=1), 2),
        (['10', '9', '', '-1'], True, [10, 9, -1, -1], {}, 2),
        (['10', '9', '', '-1'], False, [1, 2, -1, 0], {'-1': 0, '10': 1, '9': 2}, 1),
        (['10', '09', '1', '1'], True, [2, 0, 1, 1], {'09': 0, '1': 1, '10': 2}, 0),  # 09 is no plain number
        ([None] * 4, False, [-1] * 4, {}, 4),
    ],
)
def test_labels(values, parse, rows, names, unlabelled):
    labels = survey('abcd', values, parse_labels=parse).labels
    assert labels.rows(values, 'S').tolist() == rows and labels.rows(values, 'S').dtype == np.int64
    assert (labels.names, labels.unlabelled) == (names, unlabelled)


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (['a', 1], "must be all texts or all integers, got numbers and 'a'"),
        ([1.5, 2], 'must be texts or 64-bit integers, got 1.5'),
        ([2**63, 1], 'must be texts or 64-bit integers'),
        ([[1], 2], r'must be texts or 64-bit integers, got \[1\]'),
    ],
)
def test_wrong_labels_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        survey('ab', values)


def test_a_label_that_was_not_there_before():
    labels = LabelNumbers()
    labels.add(['a'], 'S')
    labels.finish()
    with pytest.raises(ValueError, match='labels of S have changed since it was opened'):
        labels.rows(['b'], 'S')
