"""Old and new vectors in one table, the new ones of a sample of its rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.apis.learn_transform import learn as module
from mmfct.functional.neighbour_recall import nearest_rows
from mmfct.retrieval.transform.apply import Transform

SAMPLED = 3  # every third item has a new vector


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Only one kind of candidates, for speed."""
    monkeypatch.setattr(module, 'candidate_names', lambda problem: ['procrustes', 'ridge'])


def arrow_table(pairs):
    pa = pytest.importorskip('pyarrow')
    new = [row if number % SAMPLED == 0 else None for number, row in enumerate(pairs.new.tolist())]
    lists = lambda rows, width: pa.array(rows, pa.list_(pa.float32(), width))  # noqa: E731
    return pa.table(dict(id=pairs.ids, v1=lists(pairs.old.tolist(), 12), v2=lists(new, 10)))


def parquet(pairs, folder):
    pq = pytest.importorskip('pyarrow.parquet')
    pq.write_table(arrow_table(pairs), folder / 'items.parquet')
    table = str(folder / 'items.parquet')
    return [table, table, '--vector-column', 'v1', '--new-vector-column', 'v2'], table


def lance(pairs, folder):
    pytest.importorskip('lancedb').connect(folder / 'db').create_table(
        'items', arrow_table(pairs), on_bad_vectors='null'
    )
    return [f'lancedb:{folder}/db/items#v1', f'lancedb:{folder}/db/items#v2'], f'lancedb:{folder}/db/items'


def qdrant(pairs, folder):
    qdrant = pytest.importorskip('qdrant_client')
    client, models = qdrant.QdrantClient(path=str(folder / 'db')), qdrant.models
    params = {name: models.VectorParams(size=size, distance='Euclid') for name, size in (('v1', 12), ('v2', 10))}
    client.create_collection('items', vectors_config=params)
    points = [
        models.PointStruct(id=number, vector=dict(v1=old) | (dict(v2=new) if number % SAMPLED == 0 else {}))
        for number, (old, new) in enumerate(zip(pairs.old.tolist(), pairs.new.tolist(), strict=True))
    ]
    client.upsert('items', points)
    client.close()
    return [f'qdrant:{folder}/db/items#v1', f'qdrant:{folder}/db/items#v2'], f'qdrant:{folder}/db/items'


@pytest.mark.parametrize('write', [parquet, lance, qdrant])
def test_learn_from_one_table(write, make_pairs, tmp_path, run_tool, capsys):
    pairs = make_pairs(360, with_side=False)
    words, _ = write(pairs, tmp_path)
    assert run_tool('learn_transform.py', *words, '--out', tmp_path / 'h') == 0
    said = capsys.readouterr().out
    assert '240 of 360 rows have no vector and are left out' in said
    assert '120 of 360 old embeddings have a new one' in said and 'items#v1' in said
    transform = Transform(tmp_path / 'h')
    assert (transform.description.old.name, transform.description.new.name) == ('items#v1', 'items#v2')
    found = nearest_rows(pairs.new, transform(pairs.old), 1)[:, 0]
    assert (found == torch.arange(360)).float().mean() > 0.1  # with rows that were mixed up, hardly ever


def test_one_name_for_both_models(make_pairs, tmp_path, run_tool, capsys):
    pairs = make_pairs(200, with_side=False)
    for folder, vectors in (('a', pairs.old), ('b', pairs.new)):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / 'items.npy', vectors.numpy())
        (tmp_path / folder / 'items.ids.txt').write_text('\n'.join(pairs.ids) + '\n')
    words = [tmp_path / 'a/items.npy', tmp_path / 'b/items.npy', '--out', tmp_path / 'h']
    assert run_tool('learn_transform.py', *words) == 2
    assert 'OLD and NEW must be of two models, got items' in capsys.readouterr().err
    assert run_tool('learn_transform.py', *words, '--new-model', 'v2') == 0


def test_old_vectors_that_are_missing(make_pairs, tmp_path, run_tool, capsys):
    pairs = make_pairs(360, with_side=False)
    words, table = parquet(pairs, tmp_path)
    swapped = [table, table, '--vector-column', 'v2', '--new-vector-column', 'v1', '--out', tmp_path / 'h']
    assert run_tool('learn_transform.py', *swapped) == 2
    assert 'leave them out with `--skip-missing`' in capsys.readouterr().err and not (tmp_path / 'h').exists()
    assert run_tool('learn_transform.py', *swapped, '--skip-missing') == 0
    # The gallery has fewer rows than the sample, so these may be the wrong way round.
    assert 'OLD has fewer rows than NEW: make sure that they are not swapped' in capsys.readouterr().out


def test_side_information_and_ids_under_other_names(make_pairs, tmp_path, run_tool, capsys):
    pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')
    pairs = make_pairs(300)
    tables = dict(
        old=dict(key=pairs.ids, kind=pairs.labels.tolist(), vector=pairs.old.tolist()),
        new=dict(name=pairs.ids[::2], vector=pairs.new[::2].tolist()),
        side=dict(key=pairs.ids, clip=pairs.side.tolist(), other=pairs.side.tolist()),
    )
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), tmp_path / f'{name}.parquet')
    words = [tmp_path / 'old.parquet', tmp_path / 'new.parquet', '--side', tmp_path / 'side.parquet']
    names = ['--id-column', 'key', '--label-column', 'kind', '--side-column', 'clip', '--new-id-column', 'name']
    assert run_tool('learn_transform.py', *words, *names, '--out', tmp_path / 'h') == 0
    assert '150 of 300 old embeddings have a new one' in capsys.readouterr().out
    assert run_tool('learn_transform.py', *words, *names, '--out', tmp_path / 'a', '--direction', 'query') == 2
    assert 'an adapter maps queries alone' in capsys.readouterr().err and not (tmp_path / 'a').exists()


@pytest.mark.parametrize('write', [parquet, lance, qdrant])
def test_a_gallery_of_the_rows_with_a_vector(write, make_pairs, tmp_path, run_tool, capsys):
    from mmfct.retrieval import Gallery

    pairs = make_pairs(30, with_side=False)
    _, table = write(pairs, tmp_path)
    words = [table, tmp_path / 'g', '--model', 'm', '--distance', 'l2', '--vector-column', 'v2']
    assert run_tool('convert_gallery.py', *words) == 2
    assert '`--skip-missing`' in capsys.readouterr().err and not (tmp_path / 'g').exists()
    assert run_tool('convert_gallery.py', *words, '--skip-missing') == 0
    assert np.array_equal(Gallery(tmp_path / 'g').column('embedding'), pairs.new[::SAMPLED].numpy())


def test_commands_that_score_rows_with_a_vector(make_pairs, tmp_path, run_tool, capsys):
    pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')
    pairs = make_pairs(60, with_side=False)
    rows = arrow_table(pairs).append_column('label', pa.array(pairs.labels.tolist()))
    table, queries = tmp_path / 'items.parquet', tmp_path / 'queries.parquet'
    for path in (table, queries):
        pq.write_table(rows, path)
    named = ['--vector-column', 'v2', '--distance', 'l2']
    commands = {
        'search': ['search_gallery.py', table, '--query', queries, '--model', 'm', *named],
        'evaluate': [
            *('evaluate_compatibility.py', '--query', f'new={queries}', '--gallery', f'new={table}'),
            *('--model', 'new=m', '--out', tmp_path / 'evaluation', *named),
        ],
        'plan': ['plan_backfill.py', table, tmp_path / 'plan', '--model', 'm', *named],
    }
    said = ''
    for name, words in commands.items():
        assert run_tool(*words) == 2, name
        assert '`--skip-missing`' in capsys.readouterr().err
        assert run_tool(*words, '--skip-missing') == 0, name
        said += capsys.readouterr().out
    # Once for each file, and all this is one process
    assert said.count(': 40 of 60 rows have no vector and are left out') == 2
