"""The same vectors in every kind of store."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmfct.retrieval.stores.say import say_once


@pytest.fixture(autouse=True)
def says_again():
    """Let every test see what is said once in a process."""
    say_once.cache_clear()


@pytest.fixture
def items() -> SimpleNamespace:
    """Ten items: vectors of width 3, ids that are numbers as texts, labels as texts of which one is missing."""
    rng = np.random.default_rng(0)
    labels = ['cat', 'dog', None, *(['ant', 'cat'] * 3), 'dog']
    return SimpleNamespace(
        vectors=rng.standard_normal((10, 3)).astype(np.float32),
        side=rng.standard_normal((10, 2)).astype(np.float32),
        ids=[str(10 + number) for number in range(10)],
        labels=labels,
        numbers=[1, 2, -1, 0, 1, 0, 1, 0, 1, 2],
    )


def write_parquet(path: Path, items: SimpleNamespace, **others: object) -> str:
    pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')
    columns = dict(vector=list(items.vectors), side=list(items.side), key=items.ids, label=items.labels)
    pq.write_table(pa.table(columns | others), path, row_group_size=4)
    return str(path)


def write_npy(path: Path, items: SimpleNamespace) -> str:
    np.save(path, items.vectors)
    np.save(path.with_suffix('.side.npy'), items.side)
    lines = [f'{name},{label or ""}\n' for name, label in zip(items.ids, items.labels, strict=True)]
    path.with_suffix('.csv').write_text('key,label\n' + ''.join(lines))
    return str(path)


def write_lance(folder: Path, items: SimpleNamespace, name: str = 'items') -> str:
    lancedb, pa = pytest.importorskip('lancedb'), pytest.importorskip('pyarrow')
    flat = lambda rows: pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])  # noqa: E731
    columns = dict(vector=flat(items.vectors), side=flat(items.side), key=items.ids, label=items.labels)
    table = pa.table(columns)
    database = lancedb.connect(folder)
    written = database.create_table(name, table.slice(0, 4))
    written.add(table.slice(4))  # a second fragment
    return f'lancedb:{folder}/{name}'


def write_qdrant(folder: Path, items: SimpleNamespace, distance: str = 'Euclid', name: str = 'items') -> str:
    qdrant = pytest.importorskip('qdrant_client')
    models = qdrant.models
    client = qdrant.QdrantClient(path=str(folder))
    params = lambda rows: models.VectorParams(size=rows.shape[1], distance=distance)  # noqa: E731
    client.create_collection(name, vectors_config=dict(embedding=params(items.vectors), side=params(items.side)))
    points = [
        models.PointStruct(
            id=int(items.ids[row]),
            vector=dict(embedding=items.vectors[row].tolist(), side=items.side[row].tolist()),
            payload={} if items.labels[row] is None else dict(label=items.labels[row]),
        )
        for row in reversed(range(len(items.ids)))  # they are read in the order of their ids
    ]
    client.upsert(name, points)
    client.close()
    return f'qdrant:{folder}/{name}'


WRITERS = dict(
    parquet=lambda folder, items: write_parquet(folder / 'items.parquet', items),
    npy=lambda folder, items: write_npy(folder / 'items.npy', items),
    lancedb=lambda folder, items: write_lance(folder / 'lance', items),
    qdrant=lambda folder, items: write_qdrant(folder / 'qdrant', items),
)


@pytest.fixture(params=WRITERS)
def store(request, tmp_path, items) -> str:
    """The items in a store, as its address or path."""
    return WRITERS[request.param](tmp_path, items)
