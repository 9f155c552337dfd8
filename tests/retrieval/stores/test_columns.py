"""Tests of the choice of columns."""

from __future__ import annotations

import pytest

from mmfct.retrieval.stores.columns import INTEGER, NUMBER, TEXT, VECTOR, ChosenColumns, VectorColumns, choose_columns


def choose(available, own_ids=False, **wanted):
    return choose_columns(available, VectorColumns(**wanted), 'S', own_ids=own_ids)


@pytest.mark.parametrize(
    ('available', 'chosen'),
    [
        (dict(embedding=VECTOR, id=TEXT, label=INTEGER, side_info=VECTOR), ('embedding', 'id', 'label', 'side_info')),
        (dict(Vector=VECTOR, _id=INTEGER, class_name=TEXT), ('Vector', '_id', 'class_name', None)),
        (dict(clip=VECTOR, id=TEXT, key=TEXT, path=TEXT, text=TEXT), ('clip', 'id', None, None)),
        (dict(clip=VECTOR, path=TEXT, label=NUMBER), ('clip', 'path', 'label', None)),
        (dict(emb=VECTOR, other=VECTOR, id=TEXT, label=VECTOR), ('emb', 'id', None, None)),
    ],
)
def test_usual_names(available, chosen):
    assert choose(available) == ChosenColumns(*chosen)


def test_names_that_are_given():
    available = dict(a=VECTOR, b=VECTOR, id=TEXT, key=TEXT, label=TEXT)
    chosen = choose(available, vector='b', id='key', label='', side='a')
    assert chosen == ChosenColumns('b', 'key', None, 'a') and chosen.names == ['b', 'key', 'a']
    assert str(chosen) == 'embedding = b, id = key, side_info = a' and bool(VectorColumns(label=''))
    assert not VectorColumns()


def test_a_named_column_is_not_found_for_another_part():
    available = dict(vector=VECTOR, side=VECTOR, id=TEXT)
    assert choose(available, vector='side') == ChosenColumns('side', 'id', None, None)
    assert choose(available, side='vector') == ChosenColumns('side', 'id', None, 'vector')


def test_ids_of_the_store():
    chosen = choose(dict(v=VECTOR, id=TEXT), own_ids=True)
    assert chosen == ChosenColumns('v', '', None, None) and str(chosen) == 'embedding = v, id = the ids of the store'
    assert choose(dict(v=VECTOR, id=TEXT), own_ids=True, id='id').id == 'id'


@pytest.mark.parametrize(
    ('available', 'wanted', 'message'),
    [
        (
            dict(vector=VECTOR, emb=VECTOR, id=TEXT),
            {},
            r'which column is the vector of S\? Got vector .*, emb .*name one',
        ),
        (dict(a=VECTOR, b=VECTOR, id=TEXT), {}, r'which column is the vector of S\? Got a .*, b .*`--vector-column`'),
        (dict(v=VECTOR, key=TEXT, uuid=TEXT), {}, r'which column is the id of S\? Got key \(texts\), uuid \(texts\)'),
        (
            dict(v=VECTOR, id=TEXT, label=TEXT, **{'class': TEXT}),
            {},
            'the label of S.*or give an empty name for no label',
        ),
        (
            dict(v=VECTOR, name=TEXT),
            {},
            r'must have an id column with texts or integers, got v \(lists.*`--id-column`',
        ),
        (dict(id=TEXT), {}, 'S must have a vector column with lists of floats, got id'),
        ({}, {}, 'got no column; name it'),
        (dict(v='list<element: int8>', id=TEXT), {}, r'`--vector-column`; write .*as \(code - zero point\) \* scale'),
        (dict(v='binary', id=TEXT), dict(vector='v'), r'lists of floats, got binary; write .*`numpy.frombuffer`'),
        (dict(v=VECTOR, id=TEXT), dict(vector='w'), "S must have the vector column 'w', got v"),
        (
            dict(v=VECTOR, id=TEXT),
            dict(vector='v', label='v'),
            "label column 'v' of S must hold texts or integers or numbers, got",
        ),
        (dict(v=VECTOR, id=TEXT), dict(id=''), 'S needs a column for `id`, got an empty name'),
        (dict(v=VECTOR, id=TEXT), dict(vector='v', side='v'), "must be different columns, got 'v' twice"),
    ],
)
def test_a_choice_that_is_not_clear_is_refused(available, wanted, message):
    with pytest.raises(ValueError, match=message):
        choose(available, **wanted)
