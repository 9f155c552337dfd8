"""Pairs of queries and gallery."""

from __future__ import annotations

import pytest

from mmfct.evaluation.pair import ADAPTED_OLD, DEFAULT_PAIRS, Pair


def test_a_pair_is_written_and_read():
    pair = Pair.parse('new/upgraded')
    assert (pair.query, pair.gallery) == ('new', 'upgraded')
    assert str(pair) == f'{pair}' == 'new/upgraded'
    assert tuple(map(Pair.parse, map(str, DEFAULT_PAIRS))) == DEFAULT_PAIRS


def test_titles_are_those_of_papers():
    assert [pair.title for pair in DEFAULT_PAIRS] == ['old/old', 'new/old', 'new/h(old)', 'h(old)/h(old)', 'new/new']
    assert ADAPTED_OLD.title == 'adapted new/old' and Pair.parse(str(ADAPTED_OLD)) == ADAPTED_OLD


@pytest.mark.parametrize('pair', ['new', 'new/', '/old', '/', '', 'new/old/old', ('new', 'old')])
def test_malformed_pair_is_refused(pair):
    with pytest.raises(ValueError, match="a pair must be written 'query/gallery', got "):
        Pair.parse(pair)
