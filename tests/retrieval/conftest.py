"""Random transforms, and galleries of the models that they are for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mmfct.retrieval import GalleryWriter, fingerprint_state_dict
from mmfct.retrieval.provenance import ModelIdentity, Provenance
from mmfct.retrieval.transform_description import TransformDescription
from mmfct.retrieval.transform_file import write_transform

WIDTHS = dict(v1=6, v2=5, v3=7, side=4)


def model(name: str) -> ModelIdentity:
    """Identity with a fingerprint made from the name."""
    return ModelIdentity(name, name.encode().hex().rjust(64, '0'))


@pytest.fixture
def make_transform():
    """Function that makes description and weights of a random transform between two models."""

    def make(old: str = 'v1', new: str = 'v2', side: str | None = 'side', hidden: int = 16, **entries):
        d, s, n = WIDTHS[old], WIDTHS[side or old], WIDTHS[new]
        layers = dict(old_branch=[d, 2 * d, 2 * n], side_branch=[s, 2 * s, 2 * n], mixer=[4 * n, hidden, hidden, n])
        options = dict(
            name=f'{old}_to_{new}', fingerprint='', old=model(old), new=model(new), side=side and model(side)
        )
        shapes = TransformDescription(**options, layers=layers, **entries).shapes()
        tensors = {
            name: torch.rand(shape) + 0.5 if 'var' in name else torch.randn(shape) for name, shape in shapes.items()
        }
        options['fingerprint'] = fingerprint_state_dict(tensors)
        return TransformDescription(**options, layers=layers, **entries), tensors

    return make


@pytest.fixture
def save_transform(make_transform, tmp_path):
    """Function that writes a random transform and returns its file."""

    def save(*models, **entries) -> Path:
        description, tensors = make_transform(*models, **entries)
        path = tmp_path / f'{description.name}.safetensors'
        write_transform(path, description, tensors)
        return path

    return save


@pytest.fixture
def make_gallery(tmp_path):
    """Function that writes a gallery of v1 with side-information, ids and labels, and returns its folder."""

    def make(name: str = 'v1', rows: int = 10, shard_rows: int = 4, side: str | None = 'side', **changes) -> Path:
        rng = np.random.default_rng(rows)
        arrays = dict(
            embedding=rng.standard_normal((rows, WIDTHS['v1'])).astype(np.float32),
            side_info=rng.standard_normal((rows, WIDTHS['side'])).astype(np.float32),
            id=np.array([f'a/{row}.jpg' for row in range(rows)]),
            label=rng.integers(3, size=rows),
        )
        if side is None:
            del arrays['side_info']
        arrays = {column: array for column, array in (arrays | changes).items() if array is not None}
        writer = GalleryWriter(
            tmp_path / name,
            columns={
                column: (str(array.dtype) if array.dtype.kind != 'U' else array.dtype.str, *array.shape[1:], None)[:2]
                for column, array in arrays.items()
            },
            num_rows=rows,
            shard_rows=shard_rows,
            metadata=Provenance(model('v1'), side and model(side)).to_metadata() | dict(images='0'),
        )
        for index, start, stop in writer.shards:
            writer.write_shard(index, {column: array[start:stop] for column, array in arrays.items()})
        writer.finish()
        return tmp_path / name

    return make
