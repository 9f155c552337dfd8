"""Tests of writing a gallery, shard by shard and behind the computation."""

import errno
import json
import os
import threading

import numpy as np
import pytest

from mmfct.retrieval import Gallery, GalleryWriter, is_complete
from mmfct.retrieval.gallery.writer import write_behind
from mmfct.utils.files import write_atomically

COLUMNS = {'old': ('float32', 3), 'label': ('int64', None)}
ROWS = 10


def _writer(path, **changes) -> GalleryWriter:
    description = {'columns': COLUMNS, 'num_rows': ROWS, 'shard_rows': 4, 'metadata': {'views': 1}}
    return GalleryWriter(path, **{**description, **changes})


def _arrays(start=0, stop=4) -> dict[str, np.ndarray]:
    """Columns ``old`` (stop - start, 3) and ``label`` (stop - start,)."""
    old = np.random.default_rng(0).standard_normal((ROWS, 3)).astype(np.float32)
    return {'old': old[start:stop], 'label': np.arange(start, stop)}


def _write(path) -> None:
    writer = _writer(path)
    for index, start, stop in writer.pending():
        writer.write_shard(index, _arrays(start, stop))


def _files(path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.fixture
def expected(tmp_path) -> dict[str, bytes]:
    """The files that one uninterrupted process writes."""
    _write(tmp_path / 'expected')
    _writer(tmp_path / 'expected').finish()
    return _files(tmp_path / 'expected')


def test_a_folder_is_not_called_like_a_file(tmp_path):
    for name in ('g.parquet', 'g.npy'):
        with pytest.raises(ValueError, match='a gallery is a folder, got the name of a file, .*; leave .* out'):
            GalleryWriter(tmp_path / name, columns=dict(id=('<U3', None)), num_rows=1)
    assert not list(tmp_path.iterdir())


def test_files_are_readable_without_the_project(expected, tmp_path):
    assert sorted(expected) == sorted(
        ['manifest.json', *(f'{name}-0000{i}.npy' for name in COLUMNS for i in range(3))]
    )
    assert np.array_equal(np.load(tmp_path / 'expected/old-00002.npy'), _arrays(8, 10)['old'])
    manifest = json.loads(expected['manifest.json'])
    assert manifest['complete'] is True
    assert manifest['format_version'] == 1
    assert manifest['num_rows'] == ROWS
    assert manifest['columns']['label'] == {'dtype': 'int64', 'width': None}
    assert manifest['metadata'] == {'views': 1}
    assert manifest['shards'][2]['start'] == 8
    assert manifest['shards'][2]['stop'] == 10


def test_pending_shrinks_to_nothing(tmp_path):
    writer = _writer(tmp_path)
    assert not is_complete(tmp_path)
    assert writer.pending() == writer.shards == [(0, 0, 4), (1, 4, 8), (2, 8, 10)]
    writer.write_shard(1, _arrays(4, 8))
    assert writer.pending() == [(0, 0, 4), (2, 8, 10)]
    assert _writer(tmp_path).pending() == [(0, 0, 4), (2, 8, 10)]
    _write(tmp_path)
    writer.finish()
    assert is_complete(tmp_path)
    assert writer.pending() == _writer(tmp_path).pending() == []


def test_finishing_twice_changes_nothing(tmp_path, expected):
    writer = _writer(tmp_path / 'expected')
    writer.finish()
    assert _files(tmp_path / 'expected') == expected


def test_finish_clears_what_a_job_killed_inside_finish_left(tmp_path, expected):
    path = tmp_path / 'expected'
    (path / 'shard-00001.json').write_text('{}')
    _writer(path).finish()
    assert _files(path) == expected


def test_finish_removes_temporary_files_and_leaves_those_of_the_user(tmp_path, expected):
    path = tmp_path / 'gallery'
    _write(path)
    (path / f'old-00000.npy.{"0" * 32}.tmp').write_bytes(b'half')
    (path / 'notes.tmp').write_bytes(b'mine')
    _writer(path).finish()
    assert _files(path) == {**expected, 'notes.tmp': b'mine'}


def test_finish_names_the_pending_shards(tmp_path):
    writer = _writer(tmp_path)
    writer.write_shard(1, _arrays(4, 8))
    with pytest.raises(ValueError, match=r'shards .* before `finish`, got 2 pending: \[0, 2\]'):
        writer.finish()
    assert not is_complete(tmp_path)


def _flip(file) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


DAMAGES = {
    'file deleted': ('old-00001.npy', lambda file: file.unlink()),
    'file truncated': ('old-00001.npy', lambda file: file.write_bytes(file.read_bytes()[:-4])),
    'bit flipped': ('label-00001.npy', _flip),
    'record deleted': ('shard-00001.json', lambda file: file.unlink()),
    'record truncated': ('shard-00001.json', lambda file: file.write_bytes(b'{')),
    'record of other rows': (
        'shard-00001.json',
        lambda file: file.write_text(file.read_text().replace('"start": 4', '"start": 0')),
    ),
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_shard_is_written_again(damage, tmp_path, expected):
    path = tmp_path / 'gallery'
    _write(path)
    name, spoil = DAMAGES[damage]
    spoil(path / name)
    assert _writer(path).pending() == [(1, 4, 8)]
    _write(path)
    _writer(path).finish()
    assert _files(path) == expected


def test_ranks_share_all_shards_whenever_they_look(tmp_path):
    first, second = _writer(tmp_path), _writer(tmp_path)
    assert first.pending(rank=0, world_size=2) == [(0, 0, 4), (2, 8, 10)]
    first.write_shard(0, _arrays(0, 4))
    assert second.pending(rank=1, world_size=2) == [(1, 4, 8)]


@pytest.mark.parametrize('rank', [-1, 2])
def test_rank_must_lie_in_the_world(rank, tmp_path):
    with pytest.raises(ValueError, match=rf'`rank` must lie in \[0, 2\), got {rank}'):
        _writer(tmp_path).pending(rank=rank, world_size=2)


def test_a_process_that_starts_late_does_not_reset_a_finished_gallery(tmp_path, expected, monkeypatch):
    path = tmp_path / 'gallery'

    def overtaken(*args, **options):
        """Another process does the whole job between the look at the folder and the write."""
        monkeypatch.undo()
        _write(path)
        _writer(path).finish()
        write_atomically(*args, **options)

    monkeypatch.setattr('mmfct.retrieval.gallery.manifest.write_atomically', overtaken)
    assert _writer(path).pending() == []
    assert _files(path) == expected


def test_failed_write_leaves_no_file(tmp_path, monkeypatch):
    def no_space(*_):
        raise OSError('no space left')

    writer = _writer(tmp_path)
    monkeypatch.setattr('os.fsync', no_space)
    with pytest.raises(OSError, match='no space left'):
        writer.write_shard(0, _arrays())
    assert list(_files(tmp_path)) == ['manifest.json']


def test_failed_rewrite_makes_a_written_shard_pending_again(tmp_path, monkeypatch):
    writer = _writer(tmp_path)
    writer.write_shard(0, _arrays())
    replace = os.replace

    def full_after_one_file(source, target):
        if target.name != 'old-00000.npy':
            raise OSError('no space left')
        replace(source, target)

    monkeypatch.setattr('os.replace', full_after_one_file)
    with pytest.raises(OSError, match='no space left'):
        writer.write_shard(0, _arrays(4, 8))
    assert writer.pending() == writer.shards


def test_another_description_is_refused_by_name(tmp_path):
    _writer(tmp_path)
    message = r'with another columns\.side, metadata\.views, num_rows; give another .*`rm -r .*which is not finished'
    with pytest.raises(ValueError, match=message):
        _writer(
            tmp_path,
            columns={**COLUMNS, 'side': ('float32', 2)},
            num_rows=11,
            metadata={'views': 2},
        )


def test_a_complete_gallery_is_not_overwritten(tmp_path, expected):
    path = tmp_path / 'expected'
    with pytest.raises(ValueError, match='with another shard_rows'):
        _writer(path, shard_rows=5)
    with pytest.raises(ValueError, match='a complete gallery must not be written to'):
        _writer(path).write_shard(0, _arrays())
    assert _files(path) == expected


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / 'photo.jpg').touch()
    with pytest.raises(ValueError, match=r"must be a new folder, .* with \['photo.jpg'\]"):
        _writer(tmp_path)
    assert list(_files(tmp_path)) == ['photo.jpg']


def test_floats_are_cast_and_memory_layout_does_not_count(tmp_path, expected):
    path = tmp_path / 'gallery'
    writer = _writer(path)
    for index, start, stop in writer.shards:
        arrays = _arrays(start, stop)
        old = np.asfortranarray(arrays['old'].astype(np.float64))
        writer.write_shard(index, {'old': old, 'label': arrays['label'].astype('>i4')})
    writer.finish()
    assert _files(path) == expected


def test_key_order_of_the_description_does_not_count(tmp_path):
    metadata = {'views': 1, 'chain': {'a': 1, 'b': 2}}
    _writer(tmp_path / 'a', metadata=metadata)
    reordered = {'chain': {'b': 2, 'a': 1}, 'views': 1}
    columns = dict(reversed(COLUMNS.items()))
    _writer(tmp_path / 'b', columns=columns, metadata=reordered)
    assert _files(tmp_path / 'a') == _files(tmp_path / 'b')
    assert _writer(tmp_path / 'a', columns=columns, metadata=reordered).pending()


def test_texts_are_stored_without_pickle(tmp_path):
    writer = GalleryWriter(tmp_path, columns={'id': ('<U8', None)}, num_rows=2)
    writer.write_shard(0, {'id': np.array(['a.jpg', 'ä.jpg'])})
    writer.finish()
    assert Gallery(tmp_path).column('id').tolist() == ['a.jpg', 'ä.jpg']
    longer = np.array(['123456789.jpg'])
    writer = GalleryWriter(tmp_path / 'short', columns={'id': ('<U8', None)}, num_rows=1)
    with pytest.raises(ValueError, match='`id` must be <U8, got <U13'):
        writer.write_shard(0, {'id': longer})


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'label': np.arange(4.0)}, '`label` must be int64, got float64'),
        ({'label': np.ones(4, bool)}, '`label` must be int64, got bool'),
        ({'old': np.zeros((4, 3), np.int64)}, '`old` must be float32, got int64'),
        ({'old': np.zeros((4, 3), object)}, '`old` must be float32, got object'),
        ({'old': np.zeros((3, 3))}, r'`old` must have shape \(4, 3\), got \(3, 3\)'),
        ({'old': np.zeros((4, 2))}, r'`old` must have shape \(4, 3\), got \(4, 2\)'),
        ({'label': np.zeros((4, 1), int)}, r'`label` must have shape \(4,\), got \(4, 1\)'),
        ({'old': np.full((4, 3), 1e39)}, '`old` must be finite as float32, got 4 rows'),
        (
            {'old': np.where(np.eye(4, 3), np.nan, 0)},
            '`old` must be finite as float32, got 3 rows',
        ),
        ({'side': np.zeros(4)}, r"must hold .* \['label', 'old'\], got \['label', 'old', 'side"),
    ],
)
def test_wrong_arrays_are_refused_before_anything_is_written(change, message, tmp_path):
    writer = _writer(tmp_path)
    with pytest.raises(ValueError, match=message):
        writer.write_shard(0, {**_arrays(), **change})
    assert list(_files(tmp_path)) == ['manifest.json']


@pytest.mark.parametrize('index', [-1, 3])
def test_an_unknown_shard_is_refused(index, tmp_path):
    with pytest.raises(ValueError, match=rf'`index` must lie in \[0, 3\), got {index}'):
        _writer(tmp_path).write_shard(index, _arrays())


@pytest.fixture
def writer(tmp_path) -> GalleryWriter:
    """Writer of three shards of one row."""
    return GalleryWriter(tmp_path / 'g', columns=dict(label=('int64', None)), num_rows=3, shard_rows=1)


def test_all_shards_are_written_when_the_block_ends(writer):
    with write_behind(writer) as write:
        for index, start, stop in writer.shards:
            write(index, dict(label=np.arange(start, stop)))
    assert writer.pending() == []
    writer.finish()
    assert Gallery(writer.path).column('label').tolist() == [0, 1, 2]


def test_one_shard_is_written_while_the_next_is_computed(writer, monkeypatch):
    go_on, write_shard = threading.Event(), GalleryWriter.write_shard

    def slow(*arguments):
        assert go_on.wait(10)
        write_shard(*arguments)

    monkeypatch.setattr(GalleryWriter, 'write_shard', slow)
    with write_behind(writer) as write:
        write(0, dict(label=np.array([0])))  # returns, although nothing is written yet
        assert len(writer.pending()) == 3
        go_on.set()
        write(1, dict(label=np.array([1])))
    assert [shard.index for shard in writer.pending()] == [2]


@pytest.mark.parametrize('last', [True, False])
def test_errors_of_the_thread_come_with_the_next_call_or_the_end(writer, last):
    with pytest.raises(ValueError, match='`label` must be int64, got float64'), write_behind(writer) as write:
        write(0, dict(label=np.zeros(1)))
        if not last:
            write(1, dict(label=np.array([1])))
            pytest.fail('went on after an error')


def test_what_was_begun_is_finished_when_the_computation_fails(writer):
    with pytest.raises(KeyboardInterrupt), write_behind(writer) as write:
        write(0, dict(label=np.array([0])))
        raise KeyboardInterrupt
    assert [shard.index for shard in writer.pending()] == [1, 2]


def test_a_gallery_that_another_process_finished_is_left_alone(writer):
    with write_behind(writer) as write:
        for index in range(3):
            writer.write_shard(index, dict(label=np.array([index])))
        writer.finish()
        write(0, dict(label=np.array([7])))
    assert is_complete(writer.path) and Gallery(writer.path).column('label').tolist() == [0, 1, 2]


def test_a_gallery_is_written_where_nothing_can_be_linked_or_synced(tmp_path, expected, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.EPERM, 'Operation not permitted')

    monkeypatch.setattr('mmfct.utils.files.os.link', fail)
    monkeypatch.setattr('mmfct.utils.files.os.fsync', fail)
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/manifest.json').touch()  # of a process that was killed before its first file was complete
    monkeypatch.setattr('mmfct.utils.files._CLAIM_SECONDS', 0)
    _write(tmp_path / 'out')
    _writer(tmp_path / 'out').finish()
    assert _files(tmp_path / 'out') == expected
