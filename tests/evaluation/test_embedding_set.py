"""The container of embeddings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.evaluation.embedding_set import EmbeddingSet, column_tensor, rows_of, sets_of_roles
from mmfct.retrieval import Gallery


@pytest.mark.parametrize('ids', [torch.tensor([7, 8, 9]), np.array(['a', 'b', 'c'])], ids=['integers', 'strings'])
def test_some_items_in_another_order(ids):
    items = EmbeddingSet(torch.arange(6.0).reshape(3, 2), torch.tensor([0, 1, 0]), ids)
    assert (len(items), items.width) == (3, 2)
    taken = items.take(np.array([2, 0]))
    assert taken.embeddings.tolist() == [[4, 5], [0, 1]] and taken.labels.tolist() == [0, 0]
    assert taken.ids.tolist() == [ids[2], ids[0]]
    assert items.take(slice(1, None, 2)).ids.tolist() == [ids[1]]


def test_roles_share_labels_and_ids():
    labels, ids = torch.zeros(2, dtype=torch.long), torch.arange(2)
    sets = sets_of_roles(dict(old=torch.ones(2, 3), new=torch.ones(2, 4)), labels, ids)
    assert {role: items.width for role, items in sets.items()} == dict(old=3, new=4)
    assert all(items.labels is labels and items.ids is ids for items in sets.values())


def test_a_gallery_is_read(make_gallery):
    rows = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    gallery = Gallery(make_gallery('g', 'm', rows, label=np.arange(50)))  # of two shards
    items = EmbeddingSet.read(gallery)
    np.testing.assert_array_equal(items.embeddings, rows)
    assert items.labels.tolist() == list(range(50)) and items.ids[:2].tolist() == ['000.png', '001.png']
    torch.testing.assert_close(column_tensor(gallery, 'label'), items.labels)


def test_a_column_of_one_shard_is_copied_from_the_read_only_file(make_gallery):
    gallery = Gallery(make_gallery('g', 'm', np.ones((3, 2))))
    column_tensor(gallery, 'embedding').zero_()
    assert gallery.column('embedding').all()


def test_a_gallery_without_labels_is_refused(make_gallery):
    gallery = Gallery(make_gallery('g', 'm', np.ones((3, 2))))
    with pytest.raises(ValueError, match='must have the columns embedding, id and label, got .* without label'):
        EmbeddingSet.read(gallery)


def test_a_gallery_without_labels_has_unknown_classes(make_gallery):
    items = EmbeddingSet.read(Gallery(make_gallery('g', 'm', np.ones((3, 2)))), need_labels=False)
    assert items.labels.tolist() == [-1] * 3 and not items.is_labelled and items.num_unlabelled == 3
    some = EmbeddingSet(items.embeddings, torch.tensor([-1, 2, -1]), items.ids)
    assert some.is_labelled


def test_rows_are_found_by_id():
    ids = np.array(['c', 'a', 'b'])
    assert rows_of(ids, np.array(['a', 'z', 'c', 'a', '0'])).tolist() == [1, -1, 0, 1, -1]
    assert rows_of(torch.tensor([7, 5]), torch.tensor([5, 6, 7])).tolist() == [1, -1, 0]
