"""Tests of galleries as Parquet and back."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.parquet.convert import read_parquet, write_parquet
from mmfct.retrieval.parquet.gallery import find_parquet
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.convert import write_gallery
from mmfct.retrieval.stores.options import SourceOptions

pa = pytest.importorskip('pyarrow')
pq = pytest.importorskip('pyarrow.parquet')
FOREIGN = Provenance(ModelIdentity('foreign', 'a' * 64), None, 'cosine')


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def path(make_gallery):
    """A gallery of 10 rows in 3 shards with columns of many types."""
    generator = np.random.default_rng(0)
    return make_gallery(
        'gallery',
        'm',
        generator.standard_normal((10, 3)),
        shard_rows=4,
        upgrades=[dict(transform='h')],
        side_info=generator.standard_normal((10, 2)).astype(np.float16),
        id=np.array([f'{i}/ä{"x" * i}.png' for i in range(10)], '<U40'),
        label=np.arange(10) - 5,
        origin=np.arange(10, dtype=np.uint8) % 2,
        good=np.arange(10) % 3 == 0,
        words=np.array([['a', 'bc']] * 10),
        huge=np.full(10, 2**64 - 1, np.uint64),
    )


@pytest.mark.parametrize('name', ['g.parquet', 'parts'])
def test_round_trip_is_byte_identical(path, tmp_path, name):
    write_parquet(Gallery(path), tmp_path / name)
    read_parquet(tmp_path / name, tmp_path / 'again')
    assert files_of(tmp_path / 'again') == files_of(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(['again', 'gallery', name])


def test_a_gallery_of_fewer_rows_than_a_shard_comes_back_too(make_gallery, tmp_path):
    path = make_gallery('small', 'm', np.eye(3), shard_rows=100)
    write_parquet(Gallery(path), tmp_path / 'g.parquet')
    read_parquet(tmp_path / 'g.parquet', tmp_path / 'again')
    assert files_of(tmp_path / 'again') == files_of(path)


def test_other_programs_read_rows_and_shards(path, tmp_path):
    gallery = Gallery(path)
    file = pq.ParquetFile(write_parquet(gallery, tmp_path / 'g.parquet'))
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [4, 4, 2]
    table = file.read()
    assert table['embedding'].to_pylist() == gallery.column('embedding').tolist()
    assert table['id'].to_pylist() == gallery.column('id').tolist()
    assert table.schema.field('embedding').type == pa.list_(pa.float32(), 3)
    parts = write_parquet(gallery, tmp_path / 'parts')
    assert sorted(file.name for file in parts.iterdir()) == [f'part-0000{i}.parquet' for i in range(3)]
    assert pq.read_table(parts)['label'].to_pylist() == gallery.column('label').tolist()


def read_foreign(path, out, *, provenance, shard_rows=None):
    """Write a gallery of Parquet of another program."""
    return write_gallery(open_source(path, options=SourceOptions(provenance=provenance, shard_rows=shard_rows)), out)


def foreign(path, **columns):
    """Write Parquet of three rows as another program would."""
    table = dict(embedding=[[1.0, 2], [3, 4], [5, 6]], id=['a', 'bcd', 'e']) | columns
    pq.write_table(pa.table({name: values for name, values in table.items() if values is not None}), path)
    return path


def test_foreign_parquet(tmp_path):
    folder = tmp_path / 'parts'
    folder.mkdir()
    foreign(folder / 'b.parquet', label=[1, 2, 3], other=['x', 'y', 'z'], id=['long name', 'f', 'g'])
    foreign(folder / 'a.parquet', label=[4, 5, 6], other=['x', 'y', 'z'])
    gallery = read_foreign(folder, tmp_path / 'gallery', provenance=FOREIGN, shard_rows=4)
    assert gallery.columns == {'embedding': ('float32', 2), 'id': ('<U9', None), 'label': ('int64', None)}
    assert gallery.column('id').tolist() == ['a', 'bcd', 'e', 'long name', 'f', 'g']
    assert gallery.column('label').tolist() == [4, 5, 6, 1, 2, 3]
    assert gallery.column('embedding').tolist() == [[1, 2], [3, 4], [5, 6]] * 2
    assert Provenance.from_metadata(gallery.metadata) == FOREIGN


@pytest.mark.parametrize(
    ('kind', 'dtype'), [(pa.large_list(pa.float16()), 'float16'), (pa.list_(pa.float32(), 2), 'float32')]
)
def test_foreign_types(tmp_path, kind, dtype):
    embedding = pa.array([[1, 2], [3, 4], [5, 6]], kind)
    label = pa.array([1, 2, 3], pa.uint8())
    file = foreign(tmp_path / 'f.parquet', embedding=embedding, id=[10, 2, 3], label=label)
    gallery = read_foreign(file, tmp_path / 'gallery', provenance=FOREIGN)
    assert gallery.column('embedding').tolist() == [[1, 2], [3, 4], [5, 6]]
    assert gallery.columns['embedding'] == (dtype, 2)
    assert gallery.column('id').tolist() == ['10', '2', '3']
    assert gallery.column('label').tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ('columns', 'message'),
    [
        (
            dict(embedding=None),
            r'must have a vector column with lists of floats, got id \(texts\); name it with `--vector-column`',
        ),
        (dict(id=None), r'must have an id column with texts or integers, got embedding \(lists of floats\)'),
        (dict(embedding=[[1.0, 2], [3], [5, 6]]), 'must have width 2, got 1 others, such as one of 1'),
        (
            dict(embedding=[[1.0, 2], None, [5, 6]]),
            "column 'embedding' of .* must hold a vector in every row, got 1 without",
        ),
        (dict(embedding=[None, [1.0, 2], [5, 6]]), 'must hold a vector in every row, got 1 without one; embed these'),
        (dict(embedding=[[], [1.0, 2], [5, 6]]), 'must hold a vector in every row, got none, or an empty one first'),
        (dict(embedding=[[1.0, 2], [3, None], [5, 6]]), "column 'embedding' of .* must have no missing values, got 1"),
        (
            dict(embedding=[[1.0, 2], [3, np.nan], [5, 6]]),
            '`embedding` of .* must be finite, got 1 of the rows 0 to 2 with NaN',
        ),
        (dict(embedding=[1.0, 2, 3]), r'must have a vector column with lists of floats, got embedding \(numbers\)'),
        (
            dict(embedding=[[1], [2], [3]]),
            r'vector column with lists of floats, got embedding \(list<element: int64>\)',
        ),
        (dict(id=['a', None, 'b']), "ids of .* must be texts or integers, got a missing one after 'a'"),
        (dict(id=[1.0, 2, 3]), r'must have an id column with texts or integers, got embedding .*, id \(numbers\)'),
        (dict(label=[1.5, 2, 3]), 'labels of .* must be texts or 64-bit integers, got 1.5'),
    ],
)
def test_foreign_parquet_that_is_no_gallery_is_refused(tmp_path, columns, message):
    file = foreign(tmp_path / 'f.parquet', **columns)
    with pytest.raises(ValueError, match=message):
        read_foreign(file, tmp_path / 'gallery', provenance=FOREIGN)
    assert [file.name for file in tmp_path.iterdir()] == ['f.parquet']


def test_empty_parquet_is_refused(tmp_path):
    file = foreign(
        tmp_path / 'f.parquet', embedding=pa.array([], pa.list_(pa.float32())), id=pa.array([], pa.string())
    )
    with pytest.raises(ValueError, match='must hold a vector in every row, got none, or'):
        read_foreign(file, tmp_path / 'gallery', provenance=FOREIGN)


def test_foreign_parquet_is_not_read_back(tmp_path):
    with pytest.raises(ValueError, match='must be Parquet that this project wrote, got other Parquet'):
        read_parquet(foreign(tmp_path / 'f.parquet'), tmp_path / 'gallery')


def test_incomplete_or_mixed_parts_are_refused(path, make_gallery, tmp_path):
    parts = write_parquet(Gallery(path), tmp_path / 'parts')
    (parts / 'part-00001.parquet').rename(tmp_path / 'kept.parquet')
    with pytest.raises(ValueError, match='must hold 10 rows, got 6'):
        read_parquet(parts, tmp_path / 'again')
    other = make_gallery('other', 'm', np.eye(3))
    write_parquet(Gallery(other), parts / 'part-00001.parquet')
    with pytest.raises(ValueError, match='all files in .* must be of one gallery, got notes of several'):
        read_parquet(parts, tmp_path / 'again')


def test_notes_of_a_later_version_are_refused(path, tmp_path):
    table = pq.read_table(write_parquet(Gallery(path), tmp_path / 'g.parquet'))
    notes = {
        key: value.replace(b'"format_version":1', b'"format_version":2')
        for key, value in table.schema.metadata.items()
    }
    pq.write_table(table.replace_schema_metadata(notes), tmp_path / 'later.parquet')
    with pytest.raises(ValueError, match='must have `format_version` 1, got 2'):
        read_parquet(tmp_path / 'later.parquet', tmp_path / 'again')


def test_columns_that_are_not_what_the_notes_say_are_refused(path, tmp_path):
    table = pq.read_table(write_parquet(Gallery(path), tmp_path / 'g.parquet'))
    place = table.column_names.index('embedding')
    changed = table.set_column(place, 'embedding', pa.array(range(10)))
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), tmp_path / 'changed.parquet')
    with pytest.raises(ValueError, match='`embedding` must be lists of floats, got int64'):
        read_parquet(tmp_path / 'changed.parquet', tmp_path / 'again')


def test_missing_damaged_or_existing_files(path, tmp_path):
    (tmp_path / 'f.parquet').write_text('PAR1 but nothing else')
    with pytest.raises(ValueError, match='f.parquet must be a Parquet file'):
        read_parquet(tmp_path / 'f.parquet', tmp_path / 'again')
    for missing in (tmp_path / 'missing.parquet', path):
        with pytest.raises(FileNotFoundError, match='must be a Parquet file or a folder of'):
            read_parquet(missing, tmp_path / 'again')
    with pytest.raises(FileExistsError, match='`path` must not exist, got'):
        write_parquet(Gallery(path), tmp_path / 'f.parquet')
    with pytest.raises(FileExistsError, match='`out` must not exist, got'):
        read_parquet(tmp_path / 'f.parquet', path)


def test_names_with_broken_bytes_are_refused(make_gallery, tmp_path):
    gallery = Gallery(make_gallery('g', 'm', np.eye(2), id=['a', '\udc80']))
    with pytest.raises(ValueError, match=r"`id` must be valid Unicode for Parquet, got '\\udc80'; leave"):
        write_parquet(gallery, tmp_path / 'g.parquet')
    assert [file.name for file in tmp_path.iterdir()] == ['g']


def test_without_pyarrow_the_message_says_how_to_install_it(path, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(ImportError, match=r"install it with `pip install 'mmfct\[parquet\]'`"):
        write_parquet(Gallery(path), tmp_path / 'g.parquet')


@pytest.mark.parametrize('name', ['g.parquet', 'parts'])
def test_a_flipped_bit_is_refused(path, tmp_path, name):
    write_parquet(Gallery(path), tmp_path / name)
    file = min((tmp_path / name).iterdir()) if name == 'parts' else tmp_path / name
    good = file.read_bytes()
    place = good.index(np.asarray(Gallery(path).column('embedding')[:1]).tobytes()[:8])
    file.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
    with pytest.raises(ValueError, match='is damaged'):
        read_parquet(tmp_path / name, tmp_path / 'again')
    assert not (tmp_path / 'again').exists()


def test_rows_that_another_program_has_changed_are_refused(path, tmp_path):
    write_parquet(Gallery(path), tmp_path / 'g.parquet')
    table = pq.read_table(tmp_path / 'g.parquet')
    pq.write_table(table.take(list(range(9, -1, -1))), tmp_path / 'sorted.parquet')
    with pytest.raises(
        ValueError, match='must hold the gallery that it was written from, got other .*--accept-changes'
    ):
        read_parquet(tmp_path / 'sorted.parquet', tmp_path / 'again')
    assert not (tmp_path / 'again').exists()


@pytest.mark.parametrize('change', ['removed', 'appended', 'sorted', 'replaced', 'column'])
def test_rows_that_another_program_has_changed_are_accepted_if_that_is_wanted(path, tmp_path, change):
    gallery = Gallery(path)
    table = pq.read_table(write_parquet(gallery, tmp_path / 'g.parquet'))
    place = table.schema.get_field_index('id')
    longer = pa.array(['much/longer/than/any/other/name/of/the/gallery/0.png', *gallery.column('id').tolist()[1:]])
    changed = dict(
        removed=lambda: table.filter(pa.array([row != 4 for row in range(10)])),
        appended=lambda: pa.concat_tables([table, table.slice(0, 1).set_column(place, 'id', longer.slice(0, 1))]),
        sorted=lambda: table.take(list(range(9, -1, -1))),
        replaced=lambda: table.set_column(place, 'id', longer),
        column=lambda: table.drop_columns(['side_info', 'words']),
    )[change]()
    pq.write_table(changed, tmp_path / 'changed.parquet')
    if change == 'removed':
        for call in (
            lambda: read_parquet(tmp_path / 'changed.parquet', tmp_path / 'again'),
            lambda: open_source(tmp_path / 'changed.parquet'),
        ):
            with pytest.raises(ValueError, match='must hold 10 rows, got 9: .*another program .*`--accept-changes`'):
                call()
    again = read_parquet(tmp_path / 'changed.parquet', tmp_path / 'again', accept_changes=True)
    assert again.column('id').tolist() == changed['id'].to_pylist()
    assert np.array_equal(again.column('embedding'), np.array(changed['embedding'].to_pylist(), np.float32))
    assert np.array_equal(again.column('origin'), changed['origin'].to_numpy())
    assert set(again.columns) == set(changed.schema.names)
    provenance = Provenance.from_metadata(again.metadata)
    assert provenance == Provenance.from_metadata(gallery.metadata)
    assert again.metadata['changed_from'] == gallery.fingerprint


def test_a_repeated_row_is_not_accepted(path, tmp_path):
    table = pq.read_table(write_parquet(Gallery(path), tmp_path / 'g.parquet'))
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), tmp_path / 'twice.parquet')
    with pytest.raises(ValueError, match='`id` must be another one in every row'):
        read_parquet(tmp_path / 'twice.parquet', tmp_path / 'again', accept_changes=True)


def test_nested_files_are_read_in_the_order_of_their_paths(tmp_path):
    for name, ids in {'a.parquet': 'ab', 'sub/deep/c.PARQUET': 'ef', 'sub/b.parquet': 'cd', 'z.parq': 'gh'}.items():
        (tmp_path / 'f' / name).parent.mkdir(parents=True, exist_ok=True)
        foreign(tmp_path / 'f' / name, id=[*ids, f'{ids}!'])
    for name in ('_delta_log/0.parquet', 'sub/.hidden.parquet', 'notes.txt', '_SUCCESS'):
        (tmp_path / 'f' / name).parent.mkdir(exist_ok=True)
        (tmp_path / 'f' / name).write_text('no Parquet')
    gallery = read_foreign(tmp_path / 'f', tmp_path / 'g', provenance=FOREIGN)
    assert [name for name in gallery.column('id').tolist() if '!' not in name] == [*'abcdefgh']
    files, others = find_parquet(tmp_path / 'f')
    assert len(files) == 4 and [file.name for file in others] == [
        '_SUCCESS',
        '0.parquet',
        'notes.txt',
        '.hidden.parquet',
    ]


def test_foreign_files_must_agree(tmp_path):
    folder = tmp_path / 'parts'
    folder.mkdir()
    foreign(folder / 'a.parquet')
    foreign(folder / 'b.parquet', label=[1, 2, 3], id=['x', 'y', 'z'])
    with pytest.raises(ValueError, match='must have the same columns, got .*a.parquet and .*label.*b.parquet'):
        read_foreign(folder, tmp_path / 'gallery', provenance=FOREIGN)


def test_foreign_ids_must_differ(tmp_path):
    foreign(tmp_path / 'f.parquet', id=['a', 'b', 'a'])
    with pytest.raises(ValueError, match="ids of .* must be unique, got 1 that are not, such as 'a', 2 times"):
        read_foreign(tmp_path / 'f.parquet', tmp_path / 'gallery', provenance=FOREIGN)


def test_a_side_model_needs_side_information(tmp_path):
    foreign(tmp_path / 'f.parquet')
    provenance = Provenance(FOREIGN.embedding, FOREIGN.embedding, 'l2')
    with pytest.raises(
        ValueError,
        match='must have side-information if its model is named, got columns embedding = embedding, id = id',
    ):
        read_foreign(tmp_path / 'f.parquet', tmp_path / 'gallery', provenance=provenance)


def test_one_long_id_does_not_make_every_row_as_long(tmp_path):
    ids = [f'{row}' for row in range(500)]
    ids[7] = 'ü' * 20_000
    pq.write_table(pa.table(dict(id=ids, embedding=[[1.0, 2.0]] * 500)), tmp_path / 'f.parquet')
    gallery = read_foreign(tmp_path / 'f.parquet', tmp_path / 'g', provenance=FOREIGN, shard_rows=100)
    assert gallery.column('id').tolist() == ids
    assert sum(file.stat().st_size for file in gallery.path.iterdir()) < 100_000
    write_parquet(gallery, tmp_path / 'parts')
    again = read_parquet(tmp_path / 'parts', tmp_path / 'again')
    assert files_of(again.path) == files_of(gallery.path)
    assert open_source(tmp_path / 'parts').rows('id', np.array([7, 8])).tolist() == ids[7:9]
