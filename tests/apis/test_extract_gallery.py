"""Tests of the extraction of galleries."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmfct.apis.extract_gallery import extract_gallery
from mmfct.registry import MODELS
from mmfct.retrieval import Gallery, fingerprint_state_dict
from mmfct.retrieval.provenance import Provenance


def embed(project, role: str, files: list[Path]) -> np.ndarray:
    """Embed image files (B, D) one by one, with the encoder of the transform's config."""
    config = Config.fromfile(project.config['transform']).model.encoders[role]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        encoder = MODELS.build(dict(config, type='mmfct.FrozenEncoder'))
    images = [torch.from_numpy(cv2.imread(str(file))).permute(2, 0, 1)[None] for file in files]
    return np.concatenate([encoder(image).numpy() for image in images])


def fingerprint(project, role: str) -> str:
    config = Config.fromfile(project.config['transform']).model.encoders[role]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return fingerprint_state_dict(MODELS.build(dict(config, type='mmfct.FrozenEncoder')).state_dict())


def files_of(path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.fixture
def old(upgrade_project, tmp_path):
    """Function that makes the gallery of the old model, with other options."""

    def extract(name: str = 'v1', **options):
        config, checkpoint = upgrade_project.config['transform'], upgrade_project.checkpoint['old']
        job = extract_gallery(config, checkpoint, tmp_path / name, **options)
        return job, tmp_path / name

    return extract


@pytest.mark.parametrize('options', [{}, dict(batch_size=3, shard_rows=4), dict(num_workers=1)])
def test_gallery_of_the_old_model_with_side_information(old, upgrade_project, photos, options):
    job, path = old(**options)
    gallery = Gallery(path)
    files = sorted(photos.rglob('*.*g'))
    assert gallery.column('id').tolist() == [file.relative_to(photos).as_posix() for file in files]
    assert gallery.column('label').tolist() == [0] * 5 + [1] * 5 + [2]
    for column, role in dict(embedding='old', side_info='side').items():
        expected = embed(upgrade_project, role, files)
        np.testing.assert_allclose(gallery.column(column), expected, rtol=1e-4, atol=1e-5)
    provenance = Provenance.from_metadata(gallery.metadata)
    for identity, role in ((provenance.embedding, 'old'), (provenance.side_info, 'side')):
        assert (identity.name, identity.fingerprint) == (role, fingerprint(upgrade_project, role))
    assert provenance.distance == 'l2' and provenance.upgrades == ()
    assert (job.num_rows, job.computed, len(gallery.shards)) == (11, 11, 3 if 'shard_rows' in options else 1)
    assert '11 items in' in job.summary() and 'ms per item' in job.summary()


def test_each_image_goes_through_the_pipeline_once(old, monkeypatch):
    from mmfct.apis.gallery_images import GalleryImages

    seen, load = [], GalleryImages.__getitem__
    monkeypatch.setattr(GalleryImages, '__getitem__', lambda self, index: seen.append(index) or load(self, index))
    old(shard_rows=3)
    assert sorted(seen[1:]) == list(range(11))  # the first one tells the widths


def test_gallery_of_the_new_model(upgrade_project, photos, tmp_path):
    project = upgrade_project
    extract_gallery(project.config['transform'], project.checkpoint['new'], tmp_path / 'by_path', distance='cosine')
    gallery = Gallery(tmp_path / 'by_path')
    assert gallery.columns.keys() == {'embedding', 'id', 'label'}
    expected = embed(project, 'new', sorted(photos.rglob('*.*g')))
    np.testing.assert_allclose(gallery.column('embedding'), expected, rtol=1e-4, atol=1e-5)
    assert Provenance.from_metadata(gallery.metadata).distance == 'cosine'
    elsewhere = shutil.copy(project.checkpoint['new'], tmp_path / 'new.pth')
    extract_gallery(project.config['transform'], str(elsewhere), tmp_path / 'by_role', role='new')
    extract_gallery(project.config['new'], project.checkpoint['new'], tmp_path / 'by_config')
    for name in ('by_role', 'by_config'):
        other = Gallery(tmp_path / name)
        assert np.array_equal(other.column('embedding'), gallery.column('embedding'))
        assert Provenance.from_metadata(other.metadata).embedding.fingerprint == fingerprint(project, 'new')


def test_configs_of_the_models_give_the_same_as_that_of_the_transform(old, upgrade_project, tmp_path):
    config, checkpoint = upgrade_project.config, upgrade_project.checkpoint
    side = dict(side_config=config['side'], side_checkpoint=checkpoint['side'])
    extract_gallery(config['old'], checkpoint['old'], tmp_path / 'configs', **side)
    assert files_of(tmp_path / 'configs') == files_of(old()[1])


def test_a_finished_gallery_is_left_alone_and_an_unfinished_one_completed(old, monkeypatch):
    expected = files_of(old('whole', shard_rows=4)[1])
    from mmfct.retrieval import GalleryWriter

    write = GalleryWriter.write_shard

    def stop_after_one(self, index, arrays):
        if index:
            raise KeyboardInterrupt
        write(self, index, arrays)

    with monkeypatch.context() as patch:
        patch.setattr(GalleryWriter, 'write_shard', stop_after_one)
        with pytest.raises(KeyboardInterrupt):
            old(shard_rows=4)
    job, path = old(shard_rows=4)
    assert job.computed == 7 and files_of(path) == expected
    job, path = old(shard_rows=4)
    assert job.computed == 0 and files_of(path) == expected
    assert job.summary() == f'{path}: all 11 items were there already'


def test_other_images_or_settings_are_not_mixed_in(old, photos, tmp_path):
    old(shard_rows=4)
    images = shutil.copytree(photos, tmp_path / 'photos')
    for options in (
        dict(images=images),
        dict(cfg_options={'test_dataloader.dataset.dataset.pipeline.0.to_float32': 1}),
    ):
        with pytest.raises(ValueError, match='with another .*metadata.images'):
            old(shard_rows=4, **options)


@pytest.mark.parametrize('labels', [True, False])
def test_a_folder_of_images(old, photos, labels):
    gallery = Gallery(old(images=photos, labels_from_folders=labels)[1])
    assert gallery.column('id').tolist()[-2:] == ['dog/4.png', 'fox/red/0.jpg']
    assert ('label' in gallery.columns) == labels


def test_training_images_are_not_augmented(old):
    train, test = (Gallery(old(split, split=split)[1]) for split in ('train', 'test'))
    assert np.array_equal(train.column('embedding'), test.column('embedding'))


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-60])


@pytest.mark.parametrize('name', ['dog/1.png', 'fox/red/0.jpg'])
@pytest.mark.parametrize(
    'damage', [truncate, lambda file: file.write_bytes(b'no image'), lambda file: file.write_bytes(b'')]
)
def test_a_damaged_image_is_named(old, photos, tmp_path, name, damage):
    images = Path(shutil.copytree(photos, tmp_path / 'photos'))
    damage(images / name)
    with pytest.raises(ValueError, match=rf"image '.*photos/{name}' cannot be loaded: "):
        old(images=images)


def test_a_damaged_image_is_named_by_a_worker_too(old, photos, tmp_path):
    images = Path(shutil.copytree(photos, tmp_path / 'photos'))
    truncate(images / 'dog/1.png')
    with pytest.raises(ValueError, match=r"image '.*photos/dog/1.png' cannot be loaded: OSError"):
        old(images=images, num_workers=1)


def test_images_of_several_sizes_are_refused(old, photos, tmp_path):
    images = Path(shutil.copytree(photos, tmp_path / 'photos'))
    cv2.imwrite(str(images / 'dog/1.png'), np.zeros((12, 14, 3), np.uint8))
    with pytest.raises(ValueError, match=r'to one size, got \(3, 12, 12\) and \(3, 12, 14\); add a resize and a crop'):
        old(images=images)


def test_wrong_batch_size(old):
    with pytest.raises(ValueError, match='`batch_size` must be a positive integer, got 0'):
        old(batch_size=0)


def test_the_checkpoint_of_the_transform_is_none_of_an_encoder(upgrade_project, tmp_path):
    project = upgrade_project
    with pytest.raises(ValueError, match='is of another model'):
        extract_gallery(project.config['transform'], project.checkpoint['transform'], tmp_path / 'a', role='old')
    assert not (tmp_path / 'a').exists()
