"""The file of ids, what is noted beside it, and galleries that cannot be planned for."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmfct.apis.plan_sample import METHODS, plan_sample
from mmfct.retrieval import Gallery
from mmfct.retrieval.stores.options import SourceOptions


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(100, 8))


@pytest.mark.parametrize('by', METHODS)
def test_ids_and_their_summary(make_gallery, vectors, tmp_path, by, capsys):
    gallery = make_gallery('g', 'm', vectors, distance='cosine')
    summary = plan_sample(gallery, tmp_path / 'new/ids.txt', size=20, by=by, seed=5)
    text = (tmp_path / 'new/ids.txt').read_text()
    ids = text.split('\n')
    assert ids.pop() == '' and len(set(ids)) == len(ids) == 20
    assert json.loads((tmp_path / 'new/ids.txt.json').read_text()) == summary
    assert (summary['by'], summary['seed'], summary['size'], summary['num_rows']) == (by, 5, 20, 100)
    assert summary['fingerprint'] == Gallery(gallery).fingerprint and summary['model']['name'] == 'm'
    output = capsys.readouterr().out
    assert '100/100 rows' in output and f'20 ids of 100, chosen by {by}' in output
    plan_sample(gallery, tmp_path / 'new/ids.txt', size=20, by=by, seed=5)
    assert (tmp_path / 'new/ids.txt').read_text() == text


@pytest.mark.parametrize('distance', ['cosine', 'l2'])
def test_the_distance_to_the_sample_is_that_of_a_plain_loop(make_gallery, vectors, tmp_path, distance, monkeypatch):
    monkeypatch.setattr('mmfct.apis.plan_sample.pool._VALUES_PER_BLOCK', 7 * 8)
    have = tmp_path / 'have.txt'
    have.write_text('003.png\n004.png\nelsewhere.png\n')
    gallery = make_gallery('g', 'm', vectors, distance=distance)
    summary = plan_sample(gallery, tmp_path / 'ids.txt', size=10, by='coverage', have=have)
    ids = (tmp_path / 'ids.txt').read_text().split()
    chosen = [3, 4, *(int(name[:3]) for name in ids)]
    if distance == 'cosine':
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def away(first: np.ndarray, second: np.ndarray) -> float:
        return 1 - first @ second if distance == 'cosine' else np.linalg.norm(first - second)

    expected = np.mean([min(away(row, vectors[one]) for one in chosen) for row in vectors])
    assert summary['mean_distance']['chosen'] == pytest.approx(expected, abs=1e-6)
    assert summary['mean_distance']['random'] > summary['mean_distance']['chosen']
    assert (summary['embedded'], summary['mean_distance']['num_rows']) == (2, 100)


def test_the_distance_of_a_part_of_a_large_gallery(make_gallery, vectors, tmp_path, monkeypatch):
    monkeypatch.setattr('mmfct.apis.plan_sample.plan._MEASURED_ROWS', 30)
    summary = plan_sample(make_gallery('g', 'm', vectors), tmp_path / 'ids.txt', size=10)
    assert summary['mean_distance']['num_rows'] == 30


def test_a_random_choice_covers_as_well_as_a_random_choice(make_gallery, vectors, tmp_path):
    """They are not the same one, which would make every difference noise of one sample."""
    summary = plan_sample(make_gallery('g', 'm', vectors), tmp_path / 'ids.txt', size=30, by='random')
    distances = summary['mean_distance']
    assert distances['chosen'] != distances['random']
    assert distances['chosen'] == pytest.approx(distances['random'], rel=0.3)


def test_rows_of_zeros_are_counted(make_gallery, vectors, tmp_path, capsys):
    vectors[[2, 50]] = 0
    summary = plan_sample(make_gallery('g', 'm', vectors), tmp_path / 'ids.txt', size=98)
    assert summary['all_zero'] == 2 and summary['mean_distance'] == dict(chosen=0, random=0, num_rows=98)
    assert '2 of 100 rows are all zeros' in capsys.readouterr().out
    assert not {'002.png', '050.png'} & set((tmp_path / 'ids.txt').read_text().split())


def test_repeats_are_counted(make_gallery, vectors, tmp_path, capsys):
    vectors[[2, 50]] = vectors[7]
    summary = plan_sample(make_gallery('g', 'm', vectors), tmp_path / 'ids.txt', size=98)
    assert summary['repeated'] == 2 and '2 of 100 rows repeat the vector of another one' in capsys.readouterr().out
    assert {'002.png', '007.png', '050.png'} & set((tmp_path / 'ids.txt').read_text().split()) == {'002.png'}


def test_ids_of_any_bytes(make_gallery, vectors, tmp_path):
    names = [f'café {row}' for row in range(100)]
    names[0] = b'\xff\xfe.png'.decode(errors='surrogateescape')
    have = tmp_path / 'have.txt'
    have.write_bytes(b'\xff\xfe.png\n')
    plan_sample(make_gallery('g', 'm', vectors, id=names), tmp_path / 'ids.txt', size=99, have=have)
    ids = (tmp_path / 'ids.txt').read_text(errors='surrogateescape').split('\n')[:-1]
    assert sorted(ids) == sorted(names[1:])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(size=101), r'`size` must lie in \[1, 100\], .*, got 101'),
        (dict(size=5, by='best'), "`by` must be one of coverage, .*, got 'best'"),
    ],
)
def test_bad_options_are_refused(make_gallery, vectors, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        plan_sample(make_gallery('g', 'm', vectors), tmp_path / 'out/ids.txt', **options)
    assert not (tmp_path / 'out').exists()


def test_files_of_embedded_ids_that_do_not_fit(make_gallery, vectors, tmp_path):
    gallery, have = make_gallery('g', 'm', vectors), tmp_path / 'have.txt'
    with pytest.raises(FileNotFoundError, match='`have` must be a text file of ids, one a line, got '):
        plan_sample(gallery, tmp_path / 'ids.txt', size=5, have=have)
    have.write_text('\n')
    with pytest.raises(ValueError, match='`have` must hold an id in a line, got the empty file'):
        plan_sample(gallery, tmp_path / 'ids.txt', size=5, have=have)
    have.write_text('b\na\n')
    with pytest.raises(ValueError, match="`have` must hold ids of the gallery, got none of them, but 'a' and others"):
        plan_sample(gallery, tmp_path / 'ids.txt', size=5, have=have)
    with pytest.raises(IsADirectoryError, match='`out` must be a file, got the folder'):
        plan_sample(gallery, tmp_path, size=5)


@pytest.mark.parametrize(
    ('ids', 'message'),
    [
        (['a', 'b', 'c', 'a'], "ids of .* must be unique, got 1 that are not, such as 'a'"),
        (['a', 'b', 'c\nd', 'e'], r"an id must be one line of text to be written to .*, got 'c\\nd'"),
        (['a', 'b', '', 'e'], "ids of .* must be texts or integers, got an empty one after 'b'"),
    ],
)
def test_ids_that_cannot_be_joined(make_gallery, tmp_path, ids, message):
    with pytest.raises(ValueError, match=message):
        plan_sample(make_gallery('g', 'm', np.eye(4), shard_rows=3, id=ids), tmp_path / 'ids.txt', size=4)
    assert not (tmp_path / 'ids.txt').exists()


def test_vectors_of_another_program(vectors, tmp_path):
    np.save(tmp_path / 'items.npy', vectors)
    (tmp_path / 'items.ids.txt').write_text(''.join(f'item {row}\n' for row in range(100)))
    with pytest.raises(ValueError, match='does not say how its vectors are compared; say it with `--distance`'):
        plan_sample(tmp_path / 'items.npy', tmp_path / 'ids.txt', size=7)
    options = SourceOptions(distance='cosine')
    summary = plan_sample(tmp_path / 'items.npy', tmp_path / 'ids.txt', size=7, by='coverage', options=options)
    assert set((tmp_path / 'ids.txt').read_text().splitlines()) < {f'item {row}' for row in range(100)}
    assert (summary['model']['name'], summary['distance']) == ('items', 'cosine')


def test_a_gallery_that_is_damaged_or_lacks_ids(make_gallery, vectors, tmp_path):
    from mmfct.retrieval import GalleryWriter
    from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance

    metadata = Provenance(ModelIdentity.named('m')).to_metadata()
    writer = GalleryWriter(
        tmp_path / 'nameless', columns=dict(embedding=('float32', 8)), num_rows=100, shard_rows=100, metadata=metadata
    )
    writer.write_shard(0, dict(embedding=vectors.astype(np.float32)))
    writer.finish()
    with pytest.raises(ValueError, match="must have the columns embedding, id, got none called 'id'"):
        plan_sample(tmp_path / 'nameless', tmp_path / 'ids.txt', size=5)
    gallery = make_gallery('g', 'm', vectors)
    file = gallery / 'embedding-00001.npy'
    file.write_bytes(file.read_bytes()[:-1] + b'x')
    with pytest.raises(ValueError, match='must match its checksum'):
        plan_sample(gallery, tmp_path / 'ids.txt', size=5)


def test_tool(run_tool, switch, tmp_path, capsys):
    words = [switch.old, '--size', 8, '--out', tmp_path / 'ids.txt']
    assert run_tool('plan_sample.py', *words) == 0
    assert json.loads((tmp_path / 'ids.txt.json').read_text())['by'] == 'coverage'
    assert run_tool('plan_sample.py', *words, '--by', 'random', '--seed', 1) == 0
    assert json.loads((tmp_path / 'ids.txt.json').read_text())['by'] == 'random'
    assert run_tool('plan_sample.py', *words, '--have', tmp_path / 'ids.txt') == 0
    assert json.loads((tmp_path / 'ids.txt.json').read_text())['embedded'] == 8
    assert run_tool('plan_sample.py', *words, '--have', tmp_path / 'none.txt') == 2
    assert 'error: `have` must be a text file' in capsys.readouterr().err


def test_tool_with_vectors_of_another_program(run_tool, vectors, tmp_path, capsys):
    np.save(tmp_path / 'items.npy', vectors)
    lines = ''.join(f'{row},item {row}\n' for row in range(100))
    (tmp_path / 'items.csv').write_text(f'id,name\n{lines}')
    words = [tmp_path / 'items.npy', '--size', 8, '--out', tmp_path / 'ids.txt', '--id-column', 'name']
    assert run_tool('plan_sample.py', *words) == 2
    assert 'say it with `--distance`' in capsys.readouterr().err
    assert run_tool('plan_sample.py', *words, '--distance', 'l2', '--model', 'encoder') == 0
    assert json.loads((tmp_path / 'ids.txt.json').read_text())['model']['name'] == 'encoder'
    assert all(line.startswith('item ') for line in (tmp_path / 'ids.txt').read_text().splitlines())


def test_items_that_have_new_vectors(make_gallery, tmp_path, run_tool, capsys):
    pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')
    vectors = np.random.default_rng(0).standard_normal((30, 3)).astype(np.float32)
    new = [[1.0, 2.0] if row < 10 else None for row in range(30)]
    names = [f'{row:03d}.png' for row in range(30)]
    pq.write_table(pa.table(dict(id=names, v1=vectors.tolist(), v2=new)), tmp_path / 'items.parquet')
    table, out = tmp_path / 'items.parquet', tmp_path / 'ids.txt'
    words = [table, '--vector-column', 'v1', '--distance', 'l2', '--size', '20', '--out', out]
    assert run_tool('plan_sample.py', *words, '--have', table, '--have-column', 'v2') == 0
    said = capsys.readouterr().out
    assert '20 of 30 rows have no vector and are left out' in said and '10 of the 10 ids that are embedded' in said
    assert sorted(out.read_text().split()) == names[10:]
    gallery = make_gallery('g', 'm', vectors[:10], id=np.array(names[:10]))
    plan_sample(gallery, tmp_path / 'none.txt', size=1, have=make_gallery('new', 'm2', vectors[:9], id=names[:9]))
    assert (tmp_path / 'none.txt').read_text() == '009.png\n'
    assert run_tool('plan_sample.py', *words, '--have', out, '--have-column', 'v2') == 2
    assert '`--have-column` needs `--have` with vectors, got the text file' in capsys.readouterr().err


def test_out_is_what_is_read(make_gallery, tmp_path):
    gallery, have = make_gallery('g', 'm', np.eye(3)), make_gallery('have', 'm', np.eye(3)[:1])
    for out in (have / 'ids.txt', gallery / 'ids.txt'):
        with pytest.raises(ValueError, match='`out` must lie outside of what is read, .*; name another file'):
            plan_sample(gallery, out, size=1, have=have)
        assert not out.exists()
