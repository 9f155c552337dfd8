"""One long text must not make every row of a gallery as long."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from mmfct.retrieval import Gallery, GalleryWriter
from mmfct.retrieval.gallery import shard as shard_module
from mmfct.retrieval.gallery.mixed import write_mixed_gallery
from mmfct.retrieval.gallery.texts import check_texts, decode_texts, encode_texts, text_array, text_dtype

TEXTS = ['', 'a', 'ä€😀', '\udcff.png', 'x' * 20_000]


def test_short_texts_have_one_width_and_long_ones_none():
    assert text_dtype(['a', 'ä' * 256]) == text_dtype(np.array(['ä' * 256])) == text_array(['ä' * 256]).dtype.str
    assert text_dtype(iter(['a', 'b' * 257])) == text_dtype(text_array(['b' * 257])) == 'text'
    assert text_dtype([]) == text_dtype(['']) == '<U1'


def test_every_text_comes_back():
    content = encode_texts(np.array(TEXTS, object))
    assert decode_texts(content, 5).tolist() == TEXTS
    offsets = content[: 8 * 6].view('<i8')
    assert content[8 * 6 :][offsets[4] : offsets[5]].tobytes().decode() == TEXTS[4]  # as the docstring says
    assert decode_texts(encode_texts(np.array([], object)), 0).shape == (0,)


@pytest.mark.parametrize('damage', ['short', 'long', 'first', 'order', 'dtype', 'rows', 'empty'])
def test_damaged_offsets_are_refused(damage):
    content = encode_texts(np.array(['a', 'bc', 'd'], object))
    offsets = content[:32].view('<i8')
    if damage in ('first', 'order'):
        offsets[0 if damage == 'first' else 1] = 4
        content[:32] = offsets.view(np.uint8)
    content = dict(
        short=content[:-1], long=np.append(content, np.uint8(0)), dtype=content.view(np.int8), empty=content[:0]
    ).get(damage, content)
    for check in (check_texts, decode_texts):
        with pytest.raises(ValueError, match='texts must be bytes with the offsets of . rows, got u?int8'):
            check(content, 2 if damage == 'rows' else 3)


def write_ids(folder, ids, shard_rows=40) -> Gallery:
    ids = text_array(ids)
    columns = dict(embedding=('float32', 2), id=(text_dtype(ids), None))
    metadata = dict(
        embedding_model=dict(name='m', fingerprint='0' * 64), side_info_model=None, distance='l2', upgrades=[]
    )
    writer = GalleryWriter(folder, columns=columns, num_rows=len(ids), shard_rows=shard_rows, metadata=metadata)
    for index, start, stop in writer.pending():
        writer.write_shard(index, dict(embedding=np.zeros((stop - start, 2), np.float32), id=ids[start:stop]))
    writer.finish()
    return Gallery(folder)


def test_a_gallery_with_one_long_id_stays_small(tmp_path):
    ids = [f'{row}.png' for row in range(1000)]
    ids[10] = 'x' * 20_000
    gallery = write_ids(tmp_path / 'g', ids, shard_rows=300)
    assert sum(file.stat().st_size for file in gallery.path.glob('id-*')) < 40_000  # at one width 80 million
    assert gallery.column('id').tolist() == ids and gallery.columns['id'] == ('text', None)
    assert gallery.rows('id', np.array([999, 10, 0])).tolist() == ['999.png', 'x' * 20_000, '0.png']
    gallery.verify_shard(3)
    mixed = write_mixed_gallery(gallery, write_ids(tmp_path / 'new', ['5.png', '7.png']), tmp_path / 'mixed')
    assert np.flatnonzero(mixed.column('origin')).tolist() == [5, 7] and mixed.column('id').tolist() == ids


def test_damaged_texts_are_noticed(tmp_path):
    file = write_ids(tmp_path / 'g', TEXTS).path / 'id-00000.npy'
    content = bytearray(file.read_bytes())
    content[-1] = 0xFF
    file.write_bytes(content)
    gallery = Gallery(tmp_path / 'g', verify=False)
    with pytest.raises(ValueError, match=r'id-00000\.npy must hold texts, got other content: .*restore the file'):
        gallery.column('id')
    with pytest.raises(ValueError, match=r'id-00000\.npy must'):
        Gallery(tmp_path / 'g')
    content[128] = 1  # the first offset
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r'texts must be bytes with the offsets of 5 rows'):
        Gallery(tmp_path / 'g', verify=False)


@pytest.mark.parametrize(
    ('ids', 'match'),
    [([1, 2], '`id` must be text, got int64'), (['a'], r'`id` must have shape \(2,\), got \(1,\)')],
)
def test_texts_must_be_texts(tmp_path, ids, match):
    writer = GalleryWriter(tmp_path, columns=dict(id=('text', None)), num_rows=2)
    with pytest.raises(ValueError, match=match):
        writer.write_shard(0, dict(id=np.array(ids)))
    with pytest.raises(ValueError, match='`id` must be text, got object'):
        writer.write_shard(0, dict(id=np.array(['a', None], object)))


@pytest.mark.parametrize('code', [errno.ENODEV, errno.EACCES])
def test_a_file_system_that_cannot_map_files(tmp_path, monkeypatch, code):
    write_ids(tmp_path / 'g', ['a', 'b'])

    def fail(*arguments, **options):
        raise OSError(code, 'No such device')

    monkeypatch.setattr(shard_module.np.lib.format, 'open_memmap', fail)
    if code == errno.ENODEV:
        assert Gallery(tmp_path / 'g').column('embedding').shape == (2, 2)
    else:
        with pytest.raises(ValueError, match='must be a .npy file of plain numbers'):
            Gallery(tmp_path / 'g')
