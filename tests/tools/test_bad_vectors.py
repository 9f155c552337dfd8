"""Bad vectors on the command line: one line that says what to do, status 2, and nothing half-written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mmfct.apis.learn_transform import learn as learn_module
from mmfct.apis.learn_transform import sources as sources_module
from mmfct.retrieval import Gallery
from mmfct.retrieval.transform.apply import Transform

ROWS, WIDTH = 300, 32
MODEL = ('--model', 'old', '--distance', 'l2')


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Only one candidate, for speed."""
    monkeypatch.setattr(learn_module, 'candidate_names', lambda problem: ['ridge'])


@pytest.fixture
def names() -> list[str]:
    return [f'i{number}' for number in range(ROWS)]


@pytest.fixture
def vectors() -> dict[str, np.ndarray]:
    """Embeddings of the same items by two models of equal width, which see them turned in other ways."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((ROWS, 3))
    maps = {name: rng.standard_normal((3, WIDTH)) for name in ('old', 'new')}
    return {name: (latent @ turn + 0.3).astype(np.float32) for name, turn in maps.items()}


@pytest.fixture
def npy(tmp_path, names):
    """Function that writes vectors with ids beside them."""

    def npy(name: str, rows: np.ndarray, ids: list[str] | None = None) -> str:
        np.save(tmp_path / f'{name}.npy', rows)
        (tmp_path / f'{name}.ids.txt').write_text('\n'.join(ids or names[: len(rows)]) + '\n')
        return str(tmp_path / f'{name}.npy')

    return npy


@pytest.fixture
def files(npy, vectors, tmp_path) -> dict[str, str]:
    return {name: npy(name, rows) for name, rows in vectors.items()} | dict(out=str(tmp_path / 'x.safetensors'))


@pytest.fixture
def learned(files, run_tool, tmp_path):
    """Function that learns a transformation from old to new."""

    def learned() -> str:
        path = str(tmp_path / 'h.safetensors')
        assert run_tool('learn_transform.py', files['old'], files['new'], '--out', path, '--distance', 'l2') == 0
        return path

    return learned


@pytest.fixture
def refused(run_tool, tmp_path, capsys):
    """Function that runs a tool that must refuse, with one line and without a trace."""

    def state() -> dict[Path, bytes | None]:
        return {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob('*')}

    def refused(message: str, tool: str, *words: object) -> None:
        before = state()
        capsys.readouterr()
        assert run_tool(f'{tool}.py', *words) == 2
        error = capsys.readouterr().err
        assert error.startswith('error: ') and error.count('\n') == 1 and message in error, error
        assert state() == before

    return refused


def test_ids_that_do_not_join_or_repeat(files, refused, npy, vectors, names):
    learn = ['learn_transform', files['old']]
    strange = npy('strange', vectors['new'], [f'z{name}' for name in names])
    refused("got 0; ids are such as 'i0' in ", *learn, strange, '--out', files['out'])
    refused('got 50; ', *learn, npy('few', vectors['new'][:50]), '--out', files['out'])
    twice = npy('twice', vectors['new'], [*names[:-1], 'i0'])
    message = "must be unique, got 1 that are not, such as 'i0', 2 times; name another column with `--id-column`, or"
    refused(message, *learn, twice, '--out', files['out'])
    refused(message, 'convert_gallery', twice, files['out'], *MODEL)
    refused(message, 'plan_sample', twice, '--size', '9', '--out', files['out'], '--distance', 'l2')


def test_vectors_that_are_not_finite(files, learned, refused, npy, vectors, tmp_path):
    transform = learned()
    bad = {name: rows.copy() for name, rows in vectors.items()}
    for rows in bad.values():
        rows[7, 3] = np.nan
    paths = {name: npy(f'bad_{name}', rows) for name, rows in bad.items()}
    message = (
        "must be finite, got 1 rows with NaN or infinite values, such as that of 'i7'; remove or embed them again"
    )
    refused(message, 'learn_transform', files['old'], paths['new'], '--out', files['out'])
    refused(message, 'learn_transform', paths['old'], files['new'], '--out', files['out'])
    message = 'rows that were looked at with NaN or infinite values; remove or embed them again'
    refused(message, 'upgrade_gallery', paths['old'], transform, tmp_path / 'up', *MODEL)
    refused('must be finite, got 1 of the rows 0 to 299', 'convert_gallery', paths['old'], tmp_path / 'g', *MODEL)


def test_rows_of_zeros_are_said(files, learned, npy, vectors, run_tool, tmp_path, capsys):
    transform = learned()
    rows = {name: values.copy() for name, values in vectors.items()}
    for values in rows.values():
        values[:5] = 0
    words = [files['old'], npy('zeros_new', rows['new']), '--out', files['out'], '--distance', 'l2']
    assert run_tool('learn_transform.py', *words) == 0
    assert '5 new embeddings are zero in all dimensions and left out' in capsys.readouterr().out
    assert run_tool('upgrade_gallery.py', npy('zeros', rows['old']), transform, tmp_path / 'up', *MODEL) == 0
    assert '5 of the embeddings are all zero, which no model makes' in capsys.readouterr().out


def test_widths_that_differ(files, refused, vectors, names, tmp_path):
    pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')
    rows = vectors['old'].tolist()
    rows[200] = rows[200][:3]
    table = pa.table(dict(id=names, vector=pa.array(rows, pa.list_(pa.float32()))))
    path = tmp_path / 'ragged.parquet'
    pq.write_table(table, path)
    message = 'must have width 32, got 1 others, such as one of 3; remove these rows, or embed them again'
    refused(message, 'learn_transform', path, files['new'], '--out', files['out'])
    refused(message, 'convert_gallery', path, tmp_path / 'g', *MODEL)


def test_models_that_are_swapped(files, learned, refused, npy, vectors, run_tool, tmp_path, capsys):
    transform = learned()
    upgrade = ['upgrade_gallery', files['new'], transform, tmp_path / 'up']
    refused('upgrades embeddings of old, got a gallery with those of new', *upgrade, '--model', 'new', *MODEL[2:])
    refused('they are of another model', *upgrade, *MODEL)  # under the name of the old one
    sample = npy('sample', vectors['new'][:200])
    assert run_tool('learn_transform.py', sample, files['old'], '--out', files['out'], '--distance', 'l2') == 0
    assert 'OLD has fewer rows than NEW: make sure that they are not swapped' in capsys.readouterr().out
    message = 'OLD and NEW must be of two models, got old'
    refused(message, 'learn_transform', files['old'], files['old'], '--out', files['out'])


@pytest.mark.parametrize('damage', ['pickle', 'truncated', 'empty', 'integers', 'flat', 'no ids'])
def test_damaged_npy(files, refused, npy, vectors, damage):
    path = Path(npy('bad', vectors['new']))
    message = 'must be a .npy file of plain numbers'
    if damage == 'pickle':
        np.save(path, np.array([{'a': 1}] * ROWS, dtype=object))
    elif damage in ('truncated', 'empty'):
        path.write_bytes(path.read_bytes()[: 400 if damage == 'truncated' else 0])
    elif damage == 'no ids':
        path.with_suffix('.ids.txt').unlink()
        message = 'must have ids beside it, one for each row'
    else:
        np.save(path, vectors['new'].astype(np.int8) if damage == 'integers' else vectors['new'][:, 0])
        message = 'must hold vectors of shape (N, D), float16, float32 or float64'
    refused(message, 'learn_transform', files['old'], path, '--out', files['out'])


def test_half_precision(files, npy, vectors, run_tool, tmp_path):
    half = {name: npy(f'half_{name}', rows.astype(np.float16)) for name, rows in vectors.items()}
    words = ['--out', files['out'], '--distance', 'l2', '--old-model', 'old']
    assert run_tool('learn_transform.py', half['old'], half['new'], *words) == 0
    assert run_tool('upgrade_gallery.py', half['old'], files['out'], tmp_path / 'up', *MODEL) == 0
    expected = Transform(files['out'])(torch.from_numpy(np.load(half['old']).astype(np.float32)))
    np.testing.assert_allclose(Gallery(tmp_path / 'up').column('embedding'), expected, atol=1e-5)


def test_a_transform_that_is_truncated_or_missing(files, learned, refused, tmp_path):
    transform = learned()
    content = Path(transform).read_bytes()
    Path(transform).write_bytes(content[: len(content) // 2])
    upgrade = ['upgrade_gallery', files['old'], transform, tmp_path / 'up', *MODEL]
    refused('cannot be read: it is truncated, damaged or no safetensors file', *upgrade)
    message = '`out` must be new, or a transform file to replace'
    refused(message, 'learn_transform', files['old'], files['new'], '--out', transform)
    Path(transform).unlink()
    refused('does not exist; make it with', *upgrade)


def test_places_that_cannot_be_written(files, learned, refused, tmp_path):
    transform = learned()
    (tmp_path / 'file').write_text('x')
    learn = ['learn_transform', files['old'], files['new'], '--out']
    refused('must be a folder to be written to, got a file; name another one', *learn, tmp_path / 'file/h')
    refused('the report needs a folder, got the file', *learn, files['out'], '--report', tmp_path / 'file')
    refused('must lie outside of what is read', *learn, files['new'])
    refused('must lie outside of what is read', *learn, tmp_path / 'old.ids.txt')
    upgrade = ['upgrade_gallery', files['old'], transform]
    refused('must be a folder, or can be made one, got [Errno 20]', *upgrade, tmp_path / 'file/up', *MODEL)
    refused('must be a folder, or can be made one, got [Errno 17]', *upgrade, transform, *MODEL)
    refused('`out` must be another folder than that of the gallery', *upgrade, files['old'], *MODEL)


def test_a_report_that_exists_is_replaced(files, learned, run_tool, tmp_path):
    transform = learned()
    (tmp_path / 'h_report/notes.txt').write_text('mine')
    words = [files['old'], files['new'], '--out', transform, '--distance', 'cosine']
    assert run_tool('learn_transform.py', *words) == 0
    assert 'Distance: cosine' in (tmp_path / 'h_report/learn.md').read_text()
    assert (tmp_path / 'h_report/notes.txt').read_text() == 'mine'


def test_settings_that_make_no_sense(files, refused, tmp_path):
    learn = ['learn_transform', files['old'], files['new'], '--out', files['out']]
    refused('`max_pairs` must be at least 100, got -1', *learn, '--max-pairs', '-1')
    refused('`seed` of the settings must be a whole number in range', *learn, '--seed', '-1')
    message = 'must be a folder with a manifest.json, Parquet, X.npy with ids beside it'
    refused(message, 'learn_transform', files['old'], tmp_path / 'missing', *learn[3:])


def test_a_broken_config(files, refused, tmp_path):
    (tmp_path / 'broken.py').write_text('learn = dict(rank=')
    learn = ['learn_transform', files['old'], files['new'], '--out', files['out']]
    refused('cannot be read: SyntaxError', *learn, '--config', tmp_path / 'broken.py')


def table(folder, vectors, names) -> str:
    lancedb, pa = pytest.importorskip('lancedb'), pytest.importorskip('pyarrow')
    columns = {
        name: pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), WIDTH) for name, rows in vectors.items()
    }
    lancedb.connect(folder).create_table('items', pa.table(dict(id=names) | columns))
    return f'lancedb:{folder}/items'


def collection(folder, vectors, names) -> str:
    qdrant = pytest.importorskip('qdrant_client')
    client, models = qdrant.QdrantClient(path=str(folder)), qdrant.models
    params = models.VectorParams(size=WIDTH, distance='Euclid')
    client.create_collection('items', vectors_config=dict.fromkeys(vectors, params))
    rows = range(ROWS)
    points = [
        models.PointStruct(id=row, vector={name: vectors[name][row].tolist() for name in vectors}) for row in rows
    ]
    client.upsert('items', points)
    client.close()
    return f'qdrant:{folder}/items'


@pytest.mark.parametrize('write', [table, collection])
def test_several_vectors_in_a_store(write, files, refused, vectors, names, tmp_path):
    store = write(tmp_path / 'db', vectors, names)
    refused('which column is the vector of', 'learn_transform', store, files['new'], '--out', files['out'])
    refused(
        "must have the vector column 'v3'", 'learn_transform', f'{store}#v3', f'{store}#new', '--out', files['out']
    )


def test_a_table_whose_files_are_damaged(files, learned, refused, vectors, names, tmp_path):
    transform = learned()
    store = table(tmp_path / 'db', vectors, names)
    for file in tmp_path.glob('db/items.lance/data/*'):
        file.write_bytes(file.read_bytes()[:100])
    message = 'db/items must stay where it is while it is read, got RuntimeError'
    refused(message, 'learn_transform', f'{store}#old', f'{store}#new', '--out', files['out'])
    refused(message, 'upgrade_gallery', f'{store}#old', transform, tmp_path / 'up', *MODEL)


@pytest.mark.parametrize('kind', ['npy', 'lancedb'])
def test_a_store_that_disappears_while_it_is_read(
    kind, files, run_tool, vectors, names, tmp_path, monkeypatch, capsys
):
    store = f'{table(tmp_path / "db", vectors, names)}#new' if kind == 'lancedb' else files['new']
    join = sources_module.join_pairs

    def remove_first(*words, **others):
        for path in [tmp_path / 'new.npy', *tmp_path.glob('db/items.lance/data/*')]:
            path.unlink()
        return join(*words, **others)

    monkeypatch.setattr(sources_module, 'join_pairs', remove_first)
    assert run_tool('learn_transform.py', files['old'], store, '--out', files['out']) == 2
    error = capsys.readouterr().err
    assert 'must stay where it is while it is read' in error and 'and run the same command again' in error
    assert error.count('\n') == 1 and not Path(files['out']).exists() and not (tmp_path / 'x_report').exists()
