"""Sets that make scores too good, or worth nothing, are said; labels and columns of single sets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmfct.apis.evaluate_compatibility import GateRule, column_of, named_columns
from mmfct.apis.evaluate_compatibility.agreement import Agreement
from mmfct.apis.evaluate_compatibility.caveats import agreement_caveats, set_caveats
from mmfct.apis.evaluate_compatibility.gate_scores import decide_gate
from mmfct.apis.evaluate_compatibility.joined_labels import with_joined_labels
from mmfct.apis.evaluate_compatibility.pairs import choose_pairs
from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.evaluation.pair import NEW_UPGRADED, OLD_OLD, Pair
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.transform.learned_from import LearnedFrom

PAIR = Pair('q', 'g')
MADE_BY = Provenance(ModelIdentity.named('m'), distance='cosine')


def vectors(size: int, seed: int = 0, model: int = 0) -> torch.Tensor:
    """Rows of a pretended model, most of whose variance is in 4 of 32 dimensions."""
    turn = torch.linalg.qr(torch.randn(32, 32, generator=torch.Generator().manual_seed(100 + model)))[0]
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(size, 4, generator=draw) @ turn[:4] + 0.1 * torch.randn(size, 32, generator=draw)


def stored(rows, ids, labels=None, *, kind='queries', **changes) -> StoredSet:
    labels = torch.full((len(rows),), -1) if labels is None else torch.tensor(labels)
    items = EmbeddingSet(rows, labels, np.array([f'{name}' for name in ids]))
    name = 'q' if kind == 'queries' else 'g'
    return replace(StoredSet(name, MADE_BY, items, {}, kind=kind), **changes)


def caveats(query: StoredSet, gallery: StoredSet) -> list[str]:
    return set_caveats([PAIR], dict(q=query), dict(g=gallery))


def test_ordinary_sets_have_none():
    gallery = stored(vectors(150), range(150), kind='gallery')
    assert caveats(stored(vectors(120, seed=1), range(200, 320)), gallery) == []
    assert caveats(stored(vectors(150)[:120], range(120)), gallery) == []  # they are left out by their ids


def test_queries_that_are_items_under_other_ids():
    gallery = stored(vectors(150), range(150), kind='gallery')
    rows = torch.cat([vectors(150)[3:5], vectors(40, seed=1)])
    (said,) = caveats(stored(rows, range(200, 242)), gallery)
    assert "2 of 42 queries 'q' have the vector of an item of gallery 'g' with another id, such as '200'" in said
    assert "that of '3'" in said
    grouped = stored(rows, range(200, 242))
    grouped = replace(grouped, items=replace(grouped.items, groups=np.zeros(42, int)))
    assert caveats(grouped, gallery) == []  # groups leave out more than the item
    alone = stored(vectors(1), [7], kind='gallery')
    assert caveats(stored(vectors(1), [7]), alone) == []


def test_queries_that_have_the_ids_of_other_items():
    """Numbers of rows, in most cases; few that are the same by accident cannot be told from chance."""
    gallery = stored(vectors(150), range(150), kind='gallery')
    (said,) = caveats(stored(vectors(120, seed=1), range(60, 180)), gallery)
    assert "**Scores of q/g are wrong**: 90 of 120 queries 'q' have ids of gallery 'g', but are other items" in said
    assert caveats(stored(vectors(120, seed=1), range(101, 221)), gallery) == []
    other_model = replace(MADE_BY, embedding=ModelIdentity.named('other'))
    asked = stored(vectors(150, model=1), range(150), provenance=other_model)
    assert not any('other items' in one for one in caveats(asked, gallery))


def test_rows_of_zeros():
    rows = vectors(40, seed=1)
    rows[:3] = 0
    said = caveats(stored(rows, range(200, 240)), stored(vectors(150), range(150), kind='gallery'))
    assert len(said) == 1 and said[0].startswith("**3 of 40 rows of queries 'q' are all zero**")


@pytest.mark.parametrize(('ids', 'share'), [(range(300), 'all'), (range(150, 450), 'about 50 %')])
def test_queries_that_a_transform_was_learned_from(ids, share):
    note = dict(learned_from=LearnedFrom.of(map(str, range(300))).to_json())
    made_by = replace(MADE_BY, upgrades=(note, dict(transform='one that does not know')))
    gallery = stored(vectors(150), range(1000, 1150), kind='gallery', provenance=made_by)
    (said,) = caveats(stored(vectors(300, seed=1), ids), gallery)
    assert said.startswith(f"**Scores of q/g are too good**: {share} of the queries 'q' are items")
    assert caveats(stored(vectors(300, seed=1), range(300, 600)), gallery) == []


def test_queries_of_another_model():
    gallery = stored(vectors(150), range(150), kind='gallery')
    (said,) = caveats(stored(vectors(120, seed=1, model=1), range(200, 320)), gallery)
    assert "may mean nothing**: queries 'q' vary in other directions than the items of gallery 'g' (" in said
    long = replace(gallery, provenance=replace(MADE_BY, distance='l2'))
    (said,) = caveats(stored(9 * vectors(40, seed=1), range(200, 240)), long)
    assert 'have lengths around' in said
    with pytest.raises(ValueError, match="got queries 'q' with 16 and gallery 'g' with 32, both of m: name another"):
        choose_pairs(dict(q=stored(vectors(20)[:, :16], range(20))), dict(g=gallery))
    assert set_caveats([PAIR], dict(q=stored(vectors(20)[:, :16], range(20))), dict(g=gallery)) == []


def test_agreement_by_chance_is_said_and_decides_nothing():
    sets = {name: stored(vectors(60), range(60), kind=name) for name in ('old', 'new', 'upgraded')}
    found = {OLD_OLD: torch.tensor([0.0, 0.2] * 30), NEW_UPGRADED: torch.tensor([0.5, 0.7] * 30)}
    recalls = {pair: dict(recall1=values, recall10=values) for pair, values in found.items()}
    agreement = Agreement(recalls, 100)
    (said,) = agreement_caveats(agreement)
    assert said.startswith("**old/old finds no more of the new model's neighbours than chance**, 10.00 % of 10")
    with pytest.raises(ValueError, match='than chance, got old/old: do the same ids name the same items'):
        decide_gate(GateRule(), {}, agreement, sets, sets)


def test_labels_are_joined_by_id():
    names = dict(label_names={0: 'x', 1: 'y'}, labels_are_texts=True)
    sets = dict(
        few=stored(vectors(3), [1, 2, 9], [0, -1, 1], **names),
        whole=stored(vectors(4), [4, 3, 2, 1], [1, 1, 0, 0], kind='gallery', **names),
        bare=stored(vectors(3), [1, 3, 5]),
        kept=stored(vectors(3), [1, 3, 5]),
        stranger=stored(vectors(1), [77]),
        twice=stored(vectors(2), [5, 5], [1, 0]),
    )
    joined = with_joined_labels(sets, keep=['kept'])
    assert joined['bare'].items.labels.tolist() == [0, 1, -1] and joined['bare'].label_names == {0: 'x', 1: 'y'}
    assert joined['bare'].labels_are_texts and joined['few'] is sets['few']
    assert joined['kept'] is sets['kept'] and joined['stranger'] is sets['stranger']


def test_columns_of_single_sets():
    columns = named_columns(['vec', 'new=v2', 'gallery:new=v3', 'old='], ['old', 'new'])
    assert [column_of(columns, 'query', name) for name in ('other', 'new', 'old')] == ['vec', 'v2', '']
    assert column_of(columns, 'gallery', 'new') == 'v3' and column_of({}, 'query', 'old') is None
    with pytest.raises(ValueError, match="of one set must be written NAME=COLUMN, of old, new, got 'nwe=v2'"):
        named_columns(['nwe=v2'], ['old', 'new'])
    with pytest.raises(ValueError, match="a set has one column of a kind, got 'a' and 'b' for all"):
        named_columns(['a', 'b'], ['old'])
