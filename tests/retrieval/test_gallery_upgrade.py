"""Tests of the upgrade of a gallery: what it computes, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mmfct.retrieval import Gallery
from mmfct.retrieval.atomic_files import file_sha256
from mmfct.retrieval.gallery_upgrade import GalleryUpgrade, bytes_per_row
from mmfct.retrieval.provenance import Provenance
from mmfct.retrieval.transform import Transform


@pytest.fixture
def transform(make_transform):
    """Function that makes a random transform."""
    return lambda *models, **entries: Transform(*make_transform(*models, **entries))


def run(gallery: Gallery, *transforms: Transform) -> torch.Tensor:
    """Upgrade all rows at once."""
    rows, side = (torch.tensor(gallery.column(name)) for name in ('embedding', 'side_info'))
    for transform in transforms:
        rows = transform(rows, side)
    return rows


@pytest.mark.parametrize('batch_size', [1, 3, 100])
def test_rows(make_gallery, transform, batch_size):
    gallery, h = Gallery(make_gallery(), verify=False), transform()
    upgrade = GalleryUpgrade(gallery, [h])
    done = []
    columns = upgrade.rows(2, 9, batch_size=batch_size, advance=done.append)
    assert columns.keys() == upgrade.columns.keys() == {'embedding', 'side_info', 'id', 'label'}
    np.testing.assert_allclose(columns['embedding'], run(gallery, h)[2:9].numpy(), rtol=1e-4, atol=1e-5)
    for name in ('side_info', 'id', 'label'):
        assert np.array_equal(columns[name], gallery.column(name)[2:9])
    assert sum(done) == 7 and len(upgrade) == 10


def test_provenance_grows_by_what_the_file_says(make_gallery, transform):
    path, h = make_gallery(), transform()
    metadata = GalleryUpgrade(Gallery(path), [h]).metadata
    provenance = Provenance.from_metadata(metadata)
    assert provenance.embedding == h.description.new and provenance.side_info == h.description.side
    assert provenance.upgrades == (h.description.to_json() | dict(compute_dtype='float32'),)
    assert metadata['upgraded_from'] == file_sha256(path / 'manifest.json')
    assert metadata['images'] == '0'


def test_a_chain_in_one_pass(make_gallery, transform):
    gallery, chain = Gallery(make_gallery()), [transform(), transform('v2', 'v3')]
    upgrade = GalleryUpgrade(gallery, chain)
    np.testing.assert_allclose(
        upgrade.rows(0, 10, batch_size=4)['embedding'], run(gallery, *chain).numpy(), rtol=1e-4, atol=1e-3
    )
    provenance = Provenance.from_metadata(upgrade.metadata)
    assert provenance.embedding.name == 'v3' and provenance.side_info.name == 'side'
    assert [entry['name'] for entry in provenance.upgrades] == ['v1_to_v2', 'v2_to_v3']


def test_without_side_information(make_gallery, transform):
    gallery, h = Gallery(make_gallery(side=None)), transform(side=None)
    upgrade = GalleryUpgrade(gallery, [h])
    expected = h(torch.tensor(gallery.column('embedding')))
    np.testing.assert_allclose(upgrade.rows(0, 10, batch_size=10)['embedding'], expected.numpy(), rtol=1e-5)
    assert 'side_info' not in upgrade.columns


def test_the_log_variance_of_the_last_transform_is_kept(make_gallery, transform):
    stale = np.full(10, 7, np.float32)
    gallery = Gallery(make_gallery(log_variance=stale))
    assert 'log_variance' not in GalleryUpgrade(gallery, [transform()]).columns  # that of an earlier upgrade
    h = transform(with_uncertainty=True)
    upgrade = GalleryUpgrade(gallery, [h])
    assert upgrade.columns['log_variance'] == ('float32', None)
    expected = h.log_variance(run(gallery, h)).numpy()
    np.testing.assert_allclose(upgrade.rows(0, 10, batch_size=3)['log_variance'], expected, rtol=1e-4, atol=1e-5)


def test_the_dtype_of_the_gallery_is_kept(make_gallery, transform):
    gallery = Gallery(make_gallery(embedding=np.ones((10, 6), np.float16)))
    assert GalleryUpgrade(gallery, [transform()]).columns['embedding'] == ('float16', 5)


def test_shards_are_those_of_the_gallery_unless_these_are_large(make_gallery, transform, monkeypatch):
    gallery = Gallery(make_gallery())
    assert GalleryUpgrade(gallery, [transform()]).shard_rows == 4
    assert GalleryUpgrade(gallery, [transform()], shard_rows=3).shard_rows == 3
    per_row = bytes_per_row(GalleryUpgrade(gallery, [transform()]).columns)
    assert per_row == 4 * 5 + 4 * 4 + 4 * len('a/0.jpg') + 8
    monkeypatch.setattr('mmfct.retrieval.gallery_upgrade._SHARD_BYTES', 2 * per_row + 1)
    assert GalleryUpgrade(gallery, [transform()]).shard_rows == 2


def test_wrong_models_are_refused_by_name(make_gallery, transform):
    gallery = Gallery(make_gallery())
    message = r"transform 1 \('v2_to_v3'\) must be for .* which are of v1 \(0+\), got one that upgrades v2 .* to v3"
    with pytest.raises(ValueError, match=message):
        GalleryUpgrade(gallery, [transform('v2', 'v3')])
    with pytest.raises(ValueError, match=r"transform 2 \('v1_to_v2'\) must be for .* which are of v2"):
        GalleryUpgrade(gallery, [transform(), transform()])
    with pytest.raises(ValueError, match=r'side-information of the gallery, which is of side .* one that needs v3'):
        GalleryUpgrade(gallery, [transform(side='v3')])
    without = Gallery(make_gallery('without', side=None))
    with pytest.raises(ValueError, match=r'which is of None, got one that needs side'):
        GalleryUpgrade(without, [transform()])


def test_wrong_widths_are_refused(make_gallery, transform):
    narrow = np.ones((10, 3), np.float32)
    for name in ('embedding', 'side_info'):
        gallery = Gallery(make_gallery(name, **{name: narrow}))
        with pytest.raises(ValueError, match=rf'must take {name} of width 3, got [46]'):
            GalleryUpgrade(gallery, [transform()])
    lies = make_gallery('lies')
    first, second = transform(), transform('v3', 'v1')
    renamed = second.description.to_json() | dict(old_model=first.description.new.to_json())
    second.description = type(second.description).from_json(renamed)
    with pytest.raises(ValueError, match=r"transform 2 \('v3_to_v1'\) must take embedding of width 5, got 7"):
        GalleryUpgrade(Gallery(lies), [first, second])


def test_missing_columns_are_refused(make_gallery, transform):
    gallery = Gallery(make_gallery(side_info=None))
    with pytest.raises(ValueError, match=r"must have the column 'side_info', got \['embedding', 'id', 'label'\]"):
        GalleryUpgrade(gallery, [transform()])


def test_no_transform(make_gallery):
    with pytest.raises(ValueError, match=r'`transforms` must name at least one transform, got \[\]'):
        GalleryUpgrade(Gallery(make_gallery()), [])


@pytest.mark.parametrize('inside', ['.', 'below', '../v1'])
def test_a_gallery_is_not_written_into_itself(make_gallery, transform, inside):
    path = make_gallery()
    upgrade = GalleryUpgrade(Gallery(path), [transform()])
    upgrade.check_output(path.parent / 'v2')
    with pytest.raises(ValueError, match='`out` must be another folder than that of the gallery, got'):
        upgrade.check_output(path / inside)


def swap(path) -> None:
    first, second = (path / f'embedding-0000{index}.npy' for index in range(2))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def flip(path) -> None:
    file = path / 'side_info-00000.npy'
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def put_nan(path) -> None:
    file = path / 'embedding-00000.npy'
    rows = np.load(file)
    rows[1, 2] = np.nan
    np.save(file, rows)
    manifest = json.loads((path / 'manifest.json').read_text())
    manifest['shards'][0]['files']['embedding']['sha256'] = file_sha256(file)
    (path / 'manifest.json').write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (swap, 'embedding-00000.npy must match its checksum, got other content'),
        (flip, 'side_info-00000.npy must match its checksum, got other content'),
        (put_nan, 'embedding-00000.npy must be finite, got 1 rows with NaN'),
    ],
)
def test_a_damaged_shard_is_refused_when_its_turn_comes(make_gallery, transform, damage, message):
    path = make_gallery()
    damage(path)
    upgrade = GalleryUpgrade(Gallery(path, verify=False), [transform()])
    upgrade.rows(8, 10, batch_size=2)  # the last shard is good
    with pytest.raises(ValueError, match=message):
        upgrade.rows(0, 4, batch_size=2)


def test_each_shard_is_verified_once(make_gallery, transform, monkeypatch):
    gallery = Gallery(make_gallery(), verify=False)
    checked = []
    monkeypatch.setattr('mmfct.retrieval.gallery.check_file', lambda _, file, verify: checked.append(file))
    upgrade = GalleryUpgrade(gallery, [transform()], shard_rows=5)  # the second shard is needed twice
    for start in (0, 5):
        upgrade.rows(start, start + 5, batch_size=5)
    assert [(file.shard.index, file.column.name) for file in checked] == [
        (index, name) for indices in ((0, 1), (2,)) for index in indices for name in gallery.columns
    ]
