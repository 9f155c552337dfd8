"""Tests of the upgrade from file to file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmfct.apis.export_transform import export_transform
from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.upgrade_estimate import UpgradeEstimate
from mmfct.apis.upgrade_gallery import estimate_upgrade, upgrade_gallery
from mmfct.retrieval import Gallery, GalleryWriter, fingerprint_state_dict, is_complete
from mmfct.retrieval.provenance import Provenance, check_same_model
from mmfct.retrieval.transform import Transform
from mmfct.retrieval.transform_file import read_transform, write_transform


@pytest.fixture(scope='module')
def files(upgrade_project, tmp_path_factory) -> tuple[Path, Path]:
    """Gallery of the old model in four shards, and the transform."""
    root, project = tmp_path_factory.mktemp('upgrade'), upgrade_project
    extract_gallery(project.config['transform'], project.checkpoint['old'], root / 'v1', shard_rows=3)
    transform = root / 'h.safetensors'
    export_transform(project.config['transform'], project.checkpoint['transform'], transform)
    return root / 'v1', transform


def files_of(path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_upgraded_gallery(files, tmp_path):
    path, transform = files
    before = files_of(path)
    job = upgrade_gallery(path, [transform], tmp_path / 'v2', batch_size=2)
    old, new = Gallery(path), Gallery(tmp_path / 'v2')
    h = Transform.load(transform)
    expected = h(*(torch.tensor(old.column(name)) for name in ('embedding', 'side_info')))
    np.testing.assert_allclose(new.column('embedding'), expected.numpy(), rtol=1e-4, atol=1e-5)
    for name in ('side_info', 'id', 'label'):
        assert np.array_equal(new.column(name), old.column(name))
    assert (job.computed, new.shards) == (11, old.shards)
    assert files_of(path) == before


def test_queries_of_the_new_model_are_accepted_and_those_of_the_old_refused(files, upgrade_project, tmp_path):
    upgrade_gallery(*_lists(files), tmp_path / 'v2')
    project = upgrade_project
    extract_gallery(project.config['new'], project.checkpoint['new'], tmp_path / 'queries')
    queries, old, new = (
        Provenance.from_metadata(Gallery(path).metadata) for path in (tmp_path / 'queries', files[0], tmp_path / 'v2')
    )
    check_same_model(queries.embedding, new)
    with pytest.raises(ValueError, match='must come from the same model'):
        check_same_model(old.embedding, new)


def _lists(files) -> tuple[Path, list[Path]]:
    return files[0], [files[1]]


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_compute_dtype(files, tmp_path, dtype):
    for name in ('float32', dtype):
        upgrade_gallery(*_lists(files), tmp_path / name, dtype=name)
    exact, close = (Gallery(tmp_path / name).column('embedding') for name in ('float32', dtype))
    assert close.dtype == np.float32
    assert 0 < np.linalg.norm(close - exact) < 0.03 * np.linalg.norm(exact)
    with pytest.raises(ValueError, match='with another metadata.upgrades'):  # never a mixture
        upgrade_gallery(*_lists(files), tmp_path / 'float32', dtype=dtype)


def test_a_stopped_upgrade_goes_on(files, tmp_path, monkeypatch):
    upgrade_gallery(*_lists(files), tmp_path / 'whole')
    write = GalleryWriter.write_shard

    def full_at_the_third(self, index, arrays):
        if index == 2:
            raise OSError(28, 'No space left on device')
        write(self, index, arrays)

    with monkeypatch.context() as patch:
        patch.setattr(GalleryWriter, 'write_shard', full_at_the_third)
        with pytest.raises(OSError, match='No space left'):
            upgrade_gallery(*_lists(files), tmp_path / 'v2')
    assert not is_complete(tmp_path / 'v2')
    assert upgrade_gallery(*_lists(files), tmp_path / 'v2').computed == 5
    assert files_of(tmp_path / 'v2') == files_of(tmp_path / 'whole')
    assert upgrade_gallery(*_lists(files), tmp_path / 'v2').computed == 0


def test_another_process_that_finishes_first_is_no_error(files, tmp_path, monkeypatch):
    upgrade_gallery(*_lists(files), tmp_path / 'whole')
    write = GalleryWriter.write_shard

    def overtaken(self, index, arrays):
        monkeypatch.undo()
        upgrade_gallery(*_lists(files), tmp_path / 'v2')
        write(self, index, arrays)

    monkeypatch.setattr(GalleryWriter, 'write_shard', overtaken)
    upgrade_gallery(*_lists(files), tmp_path / 'v2')
    assert files_of(tmp_path / 'v2') == files_of(tmp_path / 'whole')


def test_a_transform_that_overflows_leaves_no_gallery(files, tmp_path):
    description, tensors = read_transform(files[1])
    for name, value in {'mixer.4.bias': 100.0, 'mixer.6.weight': 3e38}.items():
        tensors[name] = torch.full_like(tensors[name], value)
    description = replace(description, fingerprint=fingerprint_state_dict(tensors))
    write_transform(tmp_path / 'h.safetensors', description, tensors)
    with pytest.raises(ValueError, match='`embedding` must be finite as float32, got'):
        upgrade_gallery(files[0], [tmp_path / 'h.safetensors'], tmp_path / 'v2')
    assert not is_complete(tmp_path / 'v2')


def test_wrong_arguments(files, tmp_path):
    with pytest.raises(ValueError, match='`batch_size` must be a positive integer, got 0'):
        upgrade_gallery(*_lists(files), tmp_path / 'v2', batch_size=0)
    with pytest.raises(ValueError, match='`out` must be another folder than that of the gallery'):
        upgrade_gallery(*_lists(files), files[0])
    with pytest.raises(ValueError, match='`backfill_rate` must be a positive number of images per second, got 0'):
        estimate_upgrade(*_lists(files), backfill_rate=0)


def test_estimate(files, tmp_path, monkeypatch):
    monkeypatch.setattr('mmfct.apis.upgrade_gallery._SAMPLE_SECONDS', 0.01)
    path, (transform,) = _lists(files)
    gallery = Gallery(path)
    estimate = estimate_upgrade(path, [transform])
    arrays = [gallery.column(name) for name in gallery.columns]
    assert estimate.rows == 11 and estimate.bytes_read == sum(array.nbytes for array in arrays)
    assert estimate.bytes_written == estimate.bytes_read - 4 * 11  # one value less in each embedding
    h = Transform.load(transform).description
    ratio = estimate.backfill_seconds_per_row / estimate.seconds_per_row
    assert ratio == pytest.approx(h.backfill['macs'] / h.macs) and not estimate.backfill_is_measured
    measured = estimate_upgrade(path, [transform], backfill_rate=4)
    assert measured.backfill_seconds_per_row == 0.25 and measured.backfill_is_measured
    assert list(tmp_path.iterdir()) == []


def test_summary_of_an_estimate():
    estimate = UpgradeEstimate(10_000_000, 12_000, 2_500_000_000, 1e-4, 0.05, True)
    assert estimate.summary().splitlines() == [
        'vectors           10,000,000',
        'to read           12 kB',
        'to write          2.5 GB',
        'upgrade           16.7 min (0.1 ms per item)',
        'backfill instead  139 h (50 ms per item, as measured): 500 times as long',
    ]
    short = UpgradeEstimate(10, 12, 3e15, 1e-4, None, False).summary()
    assert '12 B' in short and '3,000 TB' in short.replace('3e+03', '3,000')
    assert '0.001 s' in short and 'unknown; say how many images per second the new model embeds' in short
    assert 'its matrix products alone, at the same rate' in UpgradeEstimate(1, 1, 1, 1, 1, False).summary()


def test_a_gallery_of_another_model_is_refused(files, upgrade_project, tmp_path):
    project = upgrade_project
    extract_gallery(project.config['new'], project.checkpoint['new'], tmp_path / 'new')
    with pytest.raises(ValueError, match=r"transform 1 \('transform'\) must be for .* which are of new .* old"):
        upgrade_gallery(tmp_path / 'new', [files[1]], tmp_path / 'v2')
    assert not (tmp_path / 'v2').exists()
