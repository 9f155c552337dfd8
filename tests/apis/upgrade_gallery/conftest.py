"""Small galleries and transforms that belong together."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmfct.models.heads import TransformationHead
from mmfct.retrieval import GalleryWriter
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.transform.file import TransformDescription, write_transform

V1, V2, V3, SIDE = (ModelIdentity(name, f'{digit}' * 64) for digit, name in enumerate(['v1', 'v2', 'v3', 'simclr'], 1))
ROWS, SHARD_ROWS = 50, 8


def write_rows(path, rows=ROWS, *, model=V1, side_model=SIDE, shard_rows=SHARD_ROWS, width=6, seed=0) -> dict:
    """Write a gallery of random rows and return its columns."""
    rng = np.random.default_rng(seed)
    columns = dict(
        embedding=rng.standard_normal((rows, width)).astype(np.float32),
        side_info=rng.standard_normal((rows, 4)).astype(np.float32),
        id=np.array([f'{row}.png' for row in range(rows)]),
        label=rng.integers(0, 5, rows),
    )
    writer = GalleryWriter(
        path,
        columns=dict(
            embedding=('float32', width),
            side_info=('float32', 4),
            id=(columns['id'].dtype.str, None),
            label=('int64', None),
        ),
        num_rows=rows,
        shard_rows=shard_rows,
        metadata=Provenance(model, side_model).to_metadata(),
    )
    for index, start, stop in writer.pending():
        writer.write_shard(index, {name: column[start:stop] for name, column in columns.items()})
    writer.finish()
    return columns


def write_head(path, old, new, widths, *, side=SIDE, with_uncertainty=False, **options) -> TransformationHead:
    """Write a random h and return it."""
    torch.manual_seed(sum(widths))
    head = TransformationHead(*widths, hidden_dims=8, with_uncertainty=with_uncertainty).eval()
    dims = dict(zip(('old_dims', 'side_dims', 'new_dims'), widths, strict=True))
    write_transform(path, head.state_dict(), TransformDescription(old=old, new=new, side=side, **dims, **options))
    return head


@pytest.fixture
def chain(tmp_path) -> SimpleNamespace:
    """A gallery of v1, transforms v1 -> v2 -> v3, of which the second takes no side-information, and their makers."""
    columns = write_rows(tmp_path / 'v1')
    first = write_head(tmp_path / 'h12', V1, V2, (6, 4, 5), backfill_seconds=0.25)
    second = write_head(tmp_path / 'h23', V2, V3, (5, 5, 7), side=None)
    models = dict(V1=V1, V2=V2, V3=V3, SIDE=SIDE, write_rows=write_rows, write_head=write_head)
    paths = dict(gallery=tmp_path / 'v1', h12=tmp_path / 'h12', h23=tmp_path / 'h23', out=tmp_path / 'out')
    paths = {name: str(path) for name, path in paths.items()}
    return SimpleNamespace(columns=columns, heads=(first, second), **models, **paths)
