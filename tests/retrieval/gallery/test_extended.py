"""Appending and removing items keeps every other row, and says where all of them come from."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from mmfct.retrieval import Gallery, GalleryWriter, is_complete
from mmfct.retrieval.gallery.extended import write_extended_gallery
from mmfct.retrieval.gallery.mixed import ORIGIN
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.texts import text_array

RNG = np.random.default_rng(0)
OLD, NEW = RNG.standard_normal((10, 3)).astype(np.float32), RNG.standard_normal((5, 3)).astype(np.float32)


@pytest.fixture
def galleries(make_gallery):
    """Ten items in shards of four rows, and five others in shards of two."""
    first = make_gallery('first', 'm', OLD, shard_rows=4, label=np.arange(10))
    ids = [f'new/{row}.png' for row in range(5)]
    return first, make_gallery('second', 'm', NEW, shard_rows=2, label=np.arange(5), id=ids)


def opened(*folders):
    return [Gallery(folder) for folder in folders]


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_items_are_appended_and_removed(galleries, tmp_path):
    first, second = opened(*galleries)
    result = write_extended_gallery(first, tmp_path / 'out', added=[second], removed=['007.png', '000.png', '007.png'])
    kept = [1, 2, 3, 4, 5, 6, 8, 9]
    assert np.array_equal(result.column('embedding'), np.concatenate([OLD[kept], NEW]))
    assert result.column('id').tolist() == [f'{row:03d}.png' for row in kept] + [f'new/{row}.png' for row in range(5)]
    assert result.column('label').tolist() == [*kept, 0, 1, 2, 3, 4]
    assert Provenance.from_metadata(result.metadata) == Provenance.from_metadata(first.metadata)
    removed = hashlib.sha256(b"'000.png'\n'007.png'").hexdigest()
    added = [dict(fingerprint=second.fingerprint, upgrades=[])]
    assert result.metadata['extended'] == dict({'from': first.fingerprint}, added=added, removed=removed)
    assert set(result.columns) == {'embedding', 'id', 'label'} and result.shard_rows == 4


def test_only_the_other_rows_remain(galleries, tmp_path):
    first, _ = opened(*galleries)
    result = write_extended_gallery(first, tmp_path / 'out', removed=['003.png'])
    assert np.array_equal(result.column('embedding'), np.delete(OLD, 3, axis=0))
    assert result.metadata['extended']['added'] == []


def test_an_interrupted_job_goes_on_and_gives_the_same_bytes(galleries, tmp_path, monkeypatch):
    first, second = opened(*galleries)
    write_extended_gallery(first, tmp_path / 'whole', added=[second], removed=['001.png'])
    write, written = GalleryWriter.write_shard, []

    def killed(self, index, arrays):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(index)
        write(self, index, arrays)

    monkeypatch.setattr(GalleryWriter, 'write_shard', killed)
    with pytest.raises(KeyboardInterrupt):
        write_extended_gallery(first, tmp_path / 'out', added=[second], removed=['001.png'])
    assert not is_complete(tmp_path / 'out')
    monkeypatch.undo()
    with pytest.raises(ValueError, match='another metadata.extended'):
        write_extended_gallery(first, tmp_path / 'out', added=[second], removed=['002.png'])
    totals = []
    options = dict(added=[second], removed=['001.png'], progress=lambda total: totals.append(total) or totals.append)
    write_extended_gallery(first, tmp_path / 'out', **options)
    assert totals == [6, 4, 2]
    assert files_of(tmp_path / 'out') == files_of(tmp_path / 'whole')


def test_an_item_is_replaced_if_that_is_wanted(galleries, make_gallery, tmp_path):
    again = Gallery(make_gallery('again', 'm', NEW[:2], label=[7, 3], id=['007.png', '010.png']))
    first, _ = opened(*galleries)
    with pytest.raises(ValueError, match="an added item must be new, got '007.png', .* with `--replace`"):
        write_extended_gallery(first, tmp_path / 'out', added=[again])
    result = write_extended_gallery(first, tmp_path / 'out', added=[again], replace_items=True)
    assert np.array_equal(result.column('embedding'), np.concatenate([np.delete(OLD, 7, axis=0), NEW[:2]]))
    moved = write_extended_gallery(first, tmp_path / 'moved', added=[again], removed=['007.png'])
    assert moved.column('id').tolist() == result.column('id').tolist()


def test_upgraded_and_directly_embedded_items_are_told_apart(make_gallery, tmp_path):
    upgraded = Gallery(make_gallery('up', 'm', OLD, upgrades=[dict(transform='h')], log_variance=np.ones(10)))
    direct = Gallery(make_gallery('direct', 'm', NEW, id=list('abcde')))
    with pytest.raises(ValueError, match='same columns, got log_variance in some of them only; .*--common-columns'):
        write_extended_gallery(upgraded, tmp_path / 'out', added=[direct])
    for number, (base, other) in enumerate([(upgraded, direct), (direct, upgraded)]):
        result = write_extended_gallery(base, tmp_path / f'{number}', added=[other], common_columns=True)
        assert result.column(ORIGIN).tolist() == ([0] * 10 + [1] * 5 if number == 0 else [1] * 5 + [0] * 10)
        assert Provenance.from_metadata(result.metadata).upgrades == (dict(transform='h'),)
        assert set(result.columns) == {'embedding', 'id', 'origin'}
    again = write_extended_gallery(result, tmp_path / 'again', removed=['a'])
    assert again.column(ORIGIN).tolist() == [1] * 4 + [0] * 10


def test_longer_ids_and_names_of_labels_fit(make_gallery, tmp_path):
    first = Gallery(make_gallery('first', 'm', OLD))
    second = Gallery(make_gallery('second', 'm', NEW, id=text_array([*'abcd', 'x' * 300])))
    result = write_extended_gallery(first, tmp_path / 'out', added=[second], removed=['009.png'])
    assert result.columns['id'] == ('text', None) and result.column('id').tolist()[-2:] == ['d', 'x' * 300]
    third = Gallery(make_gallery('third', 'm', NEW[:1], id=['longer than any of the others']))
    assert write_extended_gallery(first, tmp_path / 'o', added=[third]).columns['id'] == ('<U29', None)


def test_ids_may_be_numbers(make_gallery, tmp_path):
    gallery = Gallery(make_gallery('g', 'm', OLD, id=np.arange(10)))
    result = write_extended_gallery(gallery, tmp_path / 'out', removed=['3', '03'])
    assert result.column('id').tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    with pytest.raises(ValueError, match='are integers, got another one to remove'):
        write_extended_gallery(gallery, tmp_path / 'o', removed=['a.png'])


def test_what_does_not_fit_together_is_refused(galleries, make_gallery, tmp_path):
    first, second = opened(*galleries)

    def refused(match, gallery=first, **options):
        with pytest.raises(ValueError, match=match):
            write_extended_gallery(gallery, tmp_path / 'out', **options)
        assert not (tmp_path / 'out').exists()

    def make(name, model='m', rows=NEW, **columns):
        ids = [f'{name}{row}' for row in range(5)]
        return Gallery(make_gallery(name, model, rows, **dict(dict(id=ids, label=np.arange(5)), **columns)))

    small, nameless = np.arange(5, dtype=np.int8), without_ids(tmp_path / 'no')
    refused('must come from the model of those of the gallery, m .*, got other', added=[make('a', 'other')])
    refused("items of .*/c' and gallery must have the same `distance`, got", added=[make('c', distance='cosine')])
    refused('`embedding` must have one width in all galleries, got 3, 2', added=[make('w', rows=NEW[:, :2])])
    refused('`label` must have one type in all galleries, got int64, int8', added=[make('l', label=small)])
    refused("an item must be added once, got 'new/0.png' several times", added=[second, second])
    refused("got 2 unknown ids, such as 'x'", removed=['x', '001.png', 'y'])
    refused('a gallery must keep an item, got 10 to remove', removed=first.column('id').tolist())
    refused("must have the columns embedding, id, got none called 'id'", gallery=nameless, added=[first])


def without_ids(folder) -> Gallery:
    metadata = dict(embedding_model=dict(name='m', fingerprint=hashlib.sha256(b'm').hexdigest()), side_info_model=None)
    metadata |= dict(distance='l2', upgrades=[])
    writer = GalleryWriter(folder, columns=dict(embedding=('float32', 3)), num_rows=10, metadata=metadata)
    writer.write_shard(0, dict(embedding=OLD))
    writer.finish()
    return Gallery(folder)


def test_side_information_of_another_model_is_refused(tmp_path):
    def make(name, side):
        metadata = dict(
            embedding_model=dict(name='m', fingerprint='a' * 64),
            side_info_model=side and dict(name=side, fingerprint=side * 64),
            distance='l2',
            upgrades=[],
        )
        columns = dict(embedding=('float32', 2), side_info=('float32', 2), id=('<U9', None))
        writer = GalleryWriter(tmp_path / name, columns=columns, num_rows=2, metadata=metadata)
        rows = np.zeros((2, 2), np.float32)
        writer.write_shard(0, dict(embedding=rows, side_info=rows, id=[f'{name}{row}' for row in range(2)]))
        writer.finish()
        return Gallery(tmp_path / name)

    first = make('first', 'b')
    for name, side in (('second', 'c'), ('third', None)):
        with pytest.raises(ValueError, match='side-information of items of .* must come from the model of those of'):
            write_extended_gallery(first, tmp_path / 'out', added=[make(name, side)])
    result = write_extended_gallery(first, tmp_path / 'out', added=[make('fourth', 'b')])
    assert len(result) == 4 and result.width('side_info') == 2


def test_a_damaged_shard_is_noticed(galleries, tmp_path):
    file = galleries[0] / 'embedding-00001.npy'
    file.write_bytes(file.read_bytes()[:-1] + b'!')
    first = Gallery(galleries[0], verify=False)
    with pytest.raises(ValueError, match='must match its checksum'):
        write_extended_gallery(first, tmp_path / 'out', removed=['000.png'])
