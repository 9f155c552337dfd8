"""Tests of galleries that are recomputed in part."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.mixed import write_mixed_gallery
from mmfct.retrieval.gallery.provenance import Provenance

IDS = np.array([f'{row}.png' for row in range(10)])


@pytest.fixture
def upgraded(make_gallery):
    side_info = np.arange(20, dtype=np.float32).reshape(10, 2)
    return Gallery(
        make_gallery('upgraded', 'new', np.zeros((10, 3)), id=IDS, side_info=side_info, upgrades=[{}], shard_rows=4)
    )


@pytest.fixture
def recomputed(make_gallery):
    """Write some rows embedded by the new model: row i is full of i + 1."""

    def recomputed(rows, name='recomputed'):
        embedding = np.repeat(np.array(rows)[:, None] + 1, 3, axis=1)
        return Gallery(make_gallery(name, 'new', embedding, id=IDS[rows], shard_rows=2))

    return recomputed


def test_rows_know_where_they_come_from(upgraded, recomputed, tmp_path):
    mixed = write_mixed_gallery(upgraded, recomputed([7, 0, 3]), tmp_path / 'mixed')
    origin = mixed.column('origin')
    assert origin.tolist() == [1, 0, 0, 1, 0, 0, 0, 1, 0, 0]
    assert mixed.column('embedding')[:, 0].tolist() == [1, 0, 0, 4, 0, 0, 0, 8, 0, 0]
    for name in ('id', 'side_info'):
        assert np.array_equal(mixed.column(name), upgraded.column(name))
    assert mixed.columns == {**upgraded.columns, 'origin': ('uint8', None)}
    assert Provenance.from_metadata(mixed.metadata) == Provenance.from_metadata(upgraded.metadata)


def test_a_backfill_goes_on_in_portions(upgraded, recomputed, tmp_path):
    first = write_mixed_gallery(upgraded, recomputed([7, 0], 'first'), tmp_path / 'half')
    second = write_mixed_gallery(first, recomputed([3, 0], 'second'), tmp_path / 'more')
    assert second.column('origin').tolist() == [1, 0, 0, 1, 0, 0, 0, 1, 0, 0]
    at_once = write_mixed_gallery(upgraded, recomputed([7, 0, 3]), tmp_path / 'once')
    assert np.array_equal(second.column('embedding'), at_once.column('embedding'))


def test_another_mixture_is_not_continued(upgraded, recomputed, tmp_path):
    write_mixed_gallery(upgraded, recomputed([7], 'first'), tmp_path / 'mixed')
    with pytest.raises(ValueError, match='with another metadata.mixed'):
        write_mixed_gallery(upgraded, recomputed([8], 'second'), tmp_path / 'mixed')


def test_recomputed_embeddings_of_another_model_or_other_items(make_gallery, tmp_path):
    """Names and widths fit; one gallery with two spaces would be searched without a word."""
    rng = np.random.default_rng(0)
    new = rng.standard_normal((60, 8))
    before = Gallery(make_gallery('before', 'new', 0.5 * new + 0.5 * rng.standard_normal((60, 8)), shard_rows=25))
    names = before.column('id')[::-1]
    other = new @ np.linalg.qr(rng.standard_normal((8, 8)))[0]
    for name, rows, ids in (('model', other[::-1], names), ('items', new, names)):
        with pytest.raises(ValueError, match='must hold the items of the upgraded gallery in its space, but for half'):
            write_mixed_gallery(before, Gallery(make_gallery(name, 'new', rows, id=ids)), tmp_path / 'mixed')
    assert not (tmp_path / 'mixed').exists()
    mixed = write_mixed_gallery(before, Gallery(make_gallery('right', 'new', new[::-1], id=names)), tmp_path / 'mixed')
    np.testing.assert_allclose(mixed.column('embedding'), new, rtol=1e-6)


def test_bad_input_is_refused(upgraded, recomputed, make_gallery, tmp_path):
    old = Gallery(make_gallery('old', 'old', np.zeros((10, 3)), id=IDS))
    with pytest.raises(ValueError, match='must come from the model of the gallery, new .*, got old'):
        write_mixed_gallery(upgraded, old, tmp_path / 'mixed')
    wide = Gallery(make_gallery('wide', 'new', np.zeros((10, 4)), id=IDS))
    with pytest.raises(ValueError, match='`recomputed` must have embeddings of width 3, got 4'):
        write_mixed_gallery(upgraded, wide, tmp_path / 'mixed')
    with pytest.raises(ValueError, match="`recomputed` must have every id once, got '4.png' several times"):
        write_mixed_gallery(upgraded, recomputed([4, 4], 'twice'), tmp_path / 'mixed')
    other = Gallery(make_gallery('other', 'new', np.zeros((1, 3)), id=['x.png']))
    with pytest.raises(ValueError, match="must hold items of the gallery, got the unknown id 'x.png'"):
        write_mixed_gallery(upgraded, other, tmp_path / 'mixed')
    assert not (tmp_path / 'mixed').exists()


def test_other_images_of_the_same_names_are_refused(make_gallery, tmp_path):
    labels = np.arange(10)
    gallery = Gallery(make_gallery('labelled', 'new', np.zeros((10, 3)), id=IDS, label=labels, shard_rows=4))
    same = Gallery(make_gallery('same', 'new', np.ones((3, 3)), id=IDS[[8, 0, 4]], label=labels[[8, 0, 4]]))
    assert write_mixed_gallery(gallery, same, tmp_path / 'mixed').column('origin').sum() == 3
    other = Gallery(make_gallery('others', 'new', np.ones((3, 3)), id=IDS[[8, 0, 4]], label=[8, 0, 5]))
    with pytest.raises(ValueError, match=r"must hold items of the gallery, got '4.png' with the label 5 instead of 4"):
        write_mixed_gallery(gallery, other, tmp_path / 'refused')


def test_labels_with_names_are_compared_by_these(make_gallery, tmp_path):
    """Programs number the texts that they have: of two classes 0 and 1, whatever the others call them."""
    gallery = Gallery(make_gallery('whole', 'new', np.zeros((3, 2)), id=IDS[:3], label=[0, 1, 2]))
    part = Gallery(make_gallery('part', 'new', np.ones((2, 2)), id=IDS[1:3], label=[0, 1]))
    gallery.metadata['label_names'] = {'0': 'ant', '1': 'bee', '2': 'cat'}
    part.metadata['label_names'] = {'0': 'bee', '1': 'cat'}
    assert write_mixed_gallery(gallery, part, tmp_path / 'mixed').column('origin').tolist() == [0, 1, 1]
    part.metadata['label_names'] = {'0': 'bee', '1': 'dog'}
    with pytest.raises(ValueError, match="got '2.png' with the label dog instead of cat"):
        write_mixed_gallery(gallery, part, tmp_path / 'refused')
