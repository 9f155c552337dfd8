"""Tests of reading a gallery."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mmfct
from mmfct.retrieval import Gallery, GalleryWriter, is_complete
from mmfct.utils.files import file_sha256

COLUMNS = {'old': ('float32', 3), 'side': ('float16', 2), 'label': ('int64', None)}
ROWS = 10


def _arrays() -> dict[str, np.ndarray]:
    """Columns ``old`` (10, 3), ``side`` (10, 2) and ``label`` (10,)."""
    generator = np.random.default_rng(0)
    return {
        'old': generator.standard_normal((ROWS, 3)).astype(np.float32),
        'side': generator.standard_normal((ROWS, 2)).astype(np.float16),
        'label': generator.integers(5, size=ROWS),
    }


def _write(path, *, shard_rows=4):
    writer = GalleryWriter(path, columns=COLUMNS, num_rows=ROWS, shard_rows=shard_rows, metadata={'distance': 'l2'})
    for index, start, stop in writer.pending():
        rows = {name: array[start:stop] for name, array in _arrays().items()}
        writer.write_shard(index, rows)
    writer.finish()
    return path


@pytest.fixture
def path(tmp_path):
    """A gallery of ten rows in three shards."""
    return _write(tmp_path / 'gallery')


def _edit_manifest(path, edit) -> None:
    manifest = json.loads((path / 'manifest.json').read_text())
    edit(manifest)
    (path / 'manifest.json').write_text(json.dumps(manifest))


def _replace_shard(path, content: bytes) -> None:
    """Put other content into ``old-00001.npy``, and make size and checksum fit."""
    file = path / 'old-00001.npy'
    file.write_bytes(content)
    entry = {'name': file.name, 'bytes': len(content), 'sha256': file_sha256(file)}
    _edit_manifest(path, lambda manifest: manifest['shards'][1]['files'].update(old=entry))


def _npy(path, array, **options) -> bytes:
    np.save(path / 'other.npy', array, **options)
    return (path / 'other.npy').read_bytes()


@pytest.mark.parametrize('shard_rows', [1, 4, 5, 10, 99])
@pytest.mark.parametrize('verify', [True, False])
def test_round_trip(shard_rows, verify, tmp_path):
    gallery = Gallery(_write(tmp_path, shard_rows=shard_rows), verify=verify)
    assert len(gallery) == ROWS
    assert gallery.columns == COLUMNS
    assert gallery.metadata == {'distance': 'l2'}
    for name, array in _arrays().items():
        column = gallery.column(name)
        assert column.dtype == array.dtype
        assert np.array_equal(column, array)
        for index, start, stop in gallery.shards:
            assert np.array_equal(gallery.shard(name, index), array[start:stop])


def test_fingerprint_is_that_of_the_content(path, tmp_path):
    fingerprint = Gallery(path).fingerprint
    assert Gallery(_write(tmp_path / 'again')).fingerprint == fingerprint
    assert Gallery(_write(tmp_path / 'other', shard_rows=5)).fingerprint != fingerprint


def test_width(path):
    gallery = Gallery(path)
    assert gallery.width('old') == 3
    assert gallery.width('label') is None


def test_column_of_one_shard_is_a_read_only_memory_map(tmp_path):
    column = Gallery(_write(tmp_path, shard_rows=ROWS)).column('old')
    assert isinstance(column, np.memmap)
    assert not column.flags.writeable


@pytest.mark.parametrize('dtype', [np.int64, np.uint8, np.uint64])
def test_rows_are_those_of_numpy_indexing(dtype, path):
    gallery = Gallery(path)
    indices = np.random.default_rng(1).integers(ROWS, size=50).astype(dtype)
    for name, array in _arrays().items():
        assert np.array_equal(gallery.rows(name, indices), array[indices])
        assert np.array_equal(gallery.rows(name, indices[:1]), array[indices[:1]])
        assert gallery.rows(name, indices[:0]).shape == array[:0].shape


def test_gallery_can_be_sent_to_a_worker(path):
    gallery = pickle.loads(pickle.dumps(Gallery(path)))
    assert np.array_equal(gallery.column('label'), _arrays()['label'])


def test_is_complete_never_raises(path, tmp_path):
    assert is_complete(path)
    assert not is_complete(tmp_path / 'missing')
    assert not is_complete(path / 'old-00000.npy')
    (path / 'manifest.json').write_text('{')
    assert not is_complete(path)


@pytest.mark.parametrize(
    ('indices', 'message'),
    [
        ([0, 10], r'`indices` must lie in \[0, 10\), got 10'),
        ([-1], r'`indices` must lie in \[0, 10\), got -1'),
        ([0.0], r'`indices` must be 1-D integers, got float64 of shape \(1,\)'),
        ([True], r'`indices` must be 1-D integers, got bool of shape \(1,\)'),
        ([[0]], r'`indices` must be 1-D integers, got int64 of shape \(1, 1\)'),
    ],
)
def test_rows_refuse_wrong_indices(indices, message, path):
    with pytest.raises(ValueError, match=message):
        Gallery(path).rows('old', indices)


def test_unknown_column_lists_the_choices(path):
    gallery = Gallery(path)
    message = r"`name` must be one of \['label', 'old', 'side'\], got 'new'"
    for call in (
        lambda: gallery.width('new'),
        lambda: gallery.column('new'),
        lambda: gallery.shard('new', 0),
        lambda: gallery.rows('new', [0]),
    ):
        with pytest.raises(KeyError, match=message):
            call()


def test_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='must be a folder with a manifest.json, got'):
        Gallery(tmp_path)


@pytest.mark.parametrize('content', [b'{', b'\xff', b''])
def test_manifest_that_is_no_json_is_refused(content, path):
    (path / 'manifest.json').write_bytes(content)
    with pytest.raises(ValueError, match='manifest.json must be JSON'):
        Gallery(path)


@pytest.mark.parametrize(('content', 'version'), [('[]', 'None'), ('{}', 'None'), ('{"format_version": 2}', '2')])
def test_other_format_version_is_refused(content, version, path):
    (path / 'manifest.json').write_text(content)
    with pytest.raises(ValueError, match=f'must have `format_version` 1, got {version}'):
        Gallery(path)


def test_incomplete_gallery_is_refused_and_says_how_to_go_on(tmp_path):
    GalleryWriter(tmp_path, columns=COLUMNS, num_rows=ROWS)
    with pytest.raises(ValueError, match='must be a complete gallery, .* continues where'):
        Gallery(tmp_path)


def test_missing_shard_is_refused(path):
    (path / 'old-00001.npy').unlink()
    with pytest.raises(FileNotFoundError, match='all its files, got none at .*old-00001.npy'):
        Gallery(path, verify=False)


def test_truncated_shard_is_refused(path):
    file = path / 'old-00001.npy'
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match='old-00001.npy must have 176 bytes, got 175'):
        Gallery(path, verify=False)


def test_flipped_bit_is_refused_when_verified(path):
    file = path / 'old-00001.npy'
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    Gallery(path, verify=False)
    with pytest.raises(ValueError, match='old-00001.npy must match its checksum'):
        Gallery(path)


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_rows_that_are_not_finite_are_refused_when_verified(value, path):
    old = np.zeros((4, 3), np.float32)
    old[1:3, 2] = value
    _replace_shard(path, _npy(path, old))
    Gallery(path, verify=False)
    with pytest.raises(ValueError, match='old-00001.npy must be finite, got 2 rows with NaN'):
        Gallery(path)


@pytest.mark.parametrize(
    ('array', 'got'),
    [
        (np.zeros((4, 3)), r'float64 of shape \(4, 3\)'),
        (np.zeros((4, 3), '>f4'), r'>f4 of shape \(4, 3\)'),
        (np.zeros((3, 3), np.float32), r'float32 of shape \(3, 3\)'),
        (np.zeros(4, np.float32), r'float32 of shape \(4,\)'),
    ],
)
def test_other_dtype_or_shape_is_refused(array, got, path):
    _replace_shard(path, _npy(path, array))
    with pytest.raises(ValueError, match=rf'must hold float32 of shape \(4, 3\), got {got}'):
        Gallery(path, verify=False)


class _Trap:
    """Fails the test when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ('a shard was unpickled',)


def test_nothing_is_unpickled(path):
    trapped = np.full((4, 3), _Trap(), object)
    for content in (pickle.dumps(_Trap()), _npy(path, trapped, allow_pickle=True), b'PK\x03\x04'):
        _replace_shard(path, content)
        with pytest.raises(ValueError, match='must be a .npy file of plain numbers'):
            Gallery(path)


@pytest.mark.parametrize('name', ['../old-00001.npy', '/old-00001.npy', 'old-00000.npy', None])
def test_file_name_other_than_its_own_is_refused(name, path):
    def rename(manifest):
        manifest['shards'][1]['files']['old']['name'] = name

    _edit_manifest(path, rename)
    with pytest.raises(ValueError, match='file of the manifest must be called old-00001.npy, got'):
        Gallery(path)


def test_column_name_that_leaves_the_folder_is_refused(path):
    def rename(manifest):
        manifest['columns']['../old'] = manifest['columns'].pop('old')

    _edit_manifest(path, rename)
    with pytest.raises(ValueError, match="must be an identifier, got '../old'"):
        Gallery(path)


def test_mismatched_rows_are_refused(path):
    def shift(manifest):
        manifest['shards'][1]['stop'] = 7

    _edit_manifest(path, shift)
    with pytest.raises(ValueError, match=r'must hold 10 rows, 4 each, got the ranges \[\(0, 4\)'):
        Gallery(path)


@pytest.mark.parametrize('shards', [None, [], [{}], {'a': 1}])
def test_manifest_that_does_not_list_every_file_is_refused(shards, path):
    _edit_manifest(path, lambda manifest: manifest.update(shards=shards))
    with pytest.raises(ValueError, match='must list every file|must hold 10 rows'):
        Gallery(path)


def test_shard_without_a_column_is_refused(path):
    _edit_manifest(path, lambda manifest: manifest['shards'][1]['files'].pop('side'))
    with pytest.raises(ValueError, match=r"must list every file, got KeyError\('side'\)"):
        Gallery(path)


def test_galleries_are_read_without_torch():
    code = 'import sys, mmfct.retrieval, mmfct.retrieval.index.exact; sys.exit("torch" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], cwd=Path(mmfct.__file__).parents[1]).returncode == 0
