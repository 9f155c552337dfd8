"""Joining sources by id, and what is refused or said."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.apis.learn_transform.pairs import Pairs, join_pairs
from mmfct.retrieval import GalleryWriter
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.gallery.reader import Gallery


@pytest.fixture
def store(tmp_path):
    """Function that writes a gallery, in shards of 64 rows."""

    def store(name: str, vectors, ids, *, labels=None, side=None, distance='cosine') -> Gallery:
        arrays = dict(embedding=np.asarray(vectors, np.float32), id=np.asarray(ids, '<U12'))
        columns = dict(embedding=('float32', arrays['embedding'].shape[1]), id=('<U12', None))
        for column, values, dtype in (('label', labels, 'int64'), ('side_info', side, 'float32')):
            if values is not None:
                arrays[column] = np.asarray(values, dtype)
                columns[column] = (dtype, arrays[column].shape[1] if arrays[column].ndim == 2 else None)
        side_model = None if side is None else ModelIdentity.named('side')
        metadata = Provenance(ModelIdentity.named(name), side_model, distance).to_metadata()
        writer = GalleryWriter(tmp_path / name, columns=columns, num_rows=len(ids), shard_rows=64, metadata=metadata)
        for index, start, stop in writer.shards:
            writer.write_shard(index, {column: rows[start:stop] for column, rows in arrays.items()})
        writer.finish()
        return Gallery(tmp_path / name)

    return store


def check(joined: Pairs, pairs: Pairs) -> None:
    """Each joined row is the pair with its id."""
    places = {text: place for place, text in enumerate(pairs.ids.tolist())}
    rows = [places[text] for text in joined.ids.tolist()]
    for name in ('old', 'new', 'side'):
        if getattr(joined, name) is not None:
            torch.testing.assert_close(getattr(joined, name), getattr(pairs, name)[rows])
    if joined.labels is not None:
        assert torch.equal(joined.labels, pairs.labels[rows])


def test_rows_are_joined_by_id_whatever_their_order(store, make_pairs):
    pairs = make_pairs(300)
    order = np.random.default_rng(0).permutation(300)
    sample = order[:150]
    old = store('old', pairs.old, pairs.ids, labels=pairs.labels)
    new = store('new', pairs.new[sample], pairs.ids[sample])
    others = [*pairs.ids[order[50:]], 'stranger']
    side = store('side', torch.cat([pairs.side[order[50:]], torch.ones(1, 8)]), others)
    joined = join_pairs(old, new)
    assert joined.ids.tolist() == pairs.ids[sample].tolist() and joined.side is None and joined.distance == 'cosine'
    check(joined, pairs)
    assert joined.models == dict(old=ModelIdentity.named('old'), new=ModelIdentity.named('new'))
    assert '150 of 300 old embeddings have a new one' in joined.notes[0] and '150 pairs are few' in joined.notes[-1]
    with_side = join_pairs(old, new, side, distance='l2')
    assert len(with_side) == 100 and with_side.distance == 'l2' and with_side.models['side'].name == 'side'
    check(with_side, pairs)
    assert f'50 of 150 rows of {new.path} have no partner' in ' '.join(with_side.notes)
    assert f'151 of 251 rows of {side.path} have no partner' in ' '.join(with_side.notes)


def test_side_information_of_the_old_source_and_labels_of_the_new_one(store, make_pairs):
    pairs = make_pairs(200)
    old = store('old', pairs.old, pairs.ids, side=pairs.side, labels=np.full(200, -1))
    joined = join_pairs(old, store('new', pairs.new, pairs.ids, labels=pairs.labels))
    check(joined, pairs)
    assert torch.equal(joined.labels, pairs.labels) and joined.models['side'] == ModelIdentity.named('side')


def test_of_too_many_pairs_some_are_drawn(store, make_pairs):
    pairs = make_pairs(300)
    sources = store('old', pairs.old, pairs.ids), store('new', pairs.new, pairs.ids)
    drawn = [join_pairs(*sources, max_pairs=120, seed=seed) for seed in (0, 0, 1)]
    assert len(drawn[0]) == 120 and drawn[0].ids.tolist() == drawn[1].ids.tolist() != drawn[2].ids.tolist()
    check(drawn[0], pairs)
    assert '120 of 300 pairs were drawn' in ' '.join(drawn[0].notes)


def test_zeros_are_left_out_and_swapped_sources_are_suspected(store, make_pairs):
    pairs = make_pairs(200)
    pairs.new[3] = 0
    pairs.old[5] = 0
    joined = join_pairs(store('old', pairs.old[:180], pairs.ids[:180]), store('new', pairs.new, pairs.ids))
    assert len(joined) == 178 and not {'item3', 'item5'} & {*joined.ids}
    notes = ' '.join(joined.notes)
    assert '1 old embeddings are zero' in notes and '1 new embeddings are zero' in notes
    assert 'OLD has fewer rows than NEW: make sure that they are not swapped' in notes


def test_too_few_pairs(store, make_pairs):
    pairs = make_pairs(200)
    old = store('old', pairs.old, pairs.ids)
    few = store('few', pairs.new[:50], pairs.ids[:50])
    with pytest.raises(
        ValueError, match=r'at least 100 items must be in all of .*old and .*few, got 50; .*`mmfct plan-sample`'
    ):
        join_pairs(old, few)
    other = store('other', pairs.new, [f'0{text}' for text in pairs.ids])
    with pytest.raises(ValueError, match="got 0; ids are such as 'item0' in .*old, '0item0' in .*other; embed more"):
        join_pairs(old, other)
    zeros = torch.cat([pairs.new[:50], torch.zeros(60, 10)])
    with pytest.raises(ValueError, match='at least 100 pairs must be left, got 50 that are not zero'):
        join_pairs(old, store('zeros', zeros, pairs.ids[:110]))


def test_vectors_that_teach_nothing(store, make_pairs):
    pairs = make_pairs(200)
    old = store('old', pairs.old, pairs.ids)
    with pytest.raises(ValueError, match='must be embeddings of two models, got the same vectors in'):
        join_pairs(old, store('copy', pairs.old, pairs.ids))
    with pytest.raises(ValueError, match='the new embeddings must differ between items, got 200 equal rows'):
        join_pairs(old, store('constant', torch.ones(200, 10), pairs.ids))
    ids = pairs.ids.copy()
    ids[7] = ids[8]
    with pytest.raises(ValueError, match=r'ids of .*twice must be unique to join by them'):
        join_pairs(old, store('twice', pairs.new, ids))


def test_vectors_that_are_not_finite(store, make_pairs):
    pairs = make_pairs(200)
    old, new = store('old', pairs.old, pairs.ids), store('new', pairs.new, pairs.ids)
    file = next(new.path.glob('embedding-00000.npy'))
    rows = np.load(file)
    rows[2, 3] = np.nan
    np.save(file, rows)
    with pytest.raises(ValueError, match=r'`embedding` of .*new must be finite, got 1 rows with NaN'):
        join_pairs(old, Gallery(new.path, verify=False))


def test_pairs_must_represent_the_old_source(store, make_pairs):
    pairs = make_pairs(600)
    turn = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(5)))[0]
    mixed = torch.cat([pairs.old[:150], 4 * pairs.old[150:] @ turn])  # most are of another model
    with pytest.raises(ValueError, match=r'the pairs must represent .*old, whose vectors .*; draw the items to embed'):
        join_pairs(store('old', mixed, pairs.ids), store('new', pairs.new[:150], pairs.ids[:150]))


def test_items_with_several_ids_are_left_out_or_said(store, make_pairs):
    pairs = make_pairs(200)
    pairs.old[150:], pairs.new[150:] = pairs.old[:50], pairs.new[:50]
    joined = join_pairs(store('old', pairs.old, pairs.ids), store('new', pairs.new, pairs.ids))
    assert joined.ids.tolist() == pairs.ids[:150].tolist()
    assert '50 pairs repeat the vectors of another one' in ' '.join(joined.notes) and 'nearly' not in str(joined.notes)
    pairs.old[150:] *= 1 + 1e-5 * torch.rand(50, 12)
    joined = join_pairs(store('old2', pairs.old, pairs.ids), store('new2', pairs.new, pairs.ids))
    assert len(joined) == 200 and '50.00 % of the pairs have nearly the vectors of another' in joined.notes[-1]


def test_lengths_that_float32_cannot_compare(store, make_pairs):
    pairs = make_pairs(200)
    new = store('new', pairs.new, pairs.ids)
    for factor, length in ((1e-20, 'e-20'), (1e20, r'e\+20')):
        with pytest.raises(ValueError, match=f'must have lengths between 1e-12 and 1e.15, got 200 others.*{length}; '):
            join_pairs(store(f'{factor}', factor * pairs.old, pairs.ids), new)


def test_side_information_that_is_old_or_new(store, make_pairs):
    pairs = make_pairs(150)
    old, new = store('old', pairs.old, pairs.ids), store('new', pairs.new, pairs.ids)
    for role, vectors in (('OLD', pairs.old), ('NEW', pairs.new)):
        with pytest.raises(ValueError, match=f'of a third model, got the vectors of {role}; name another `--side`'):
            join_pairs(old, new, store(f'side of {role}', vectors, pairs.ids))
