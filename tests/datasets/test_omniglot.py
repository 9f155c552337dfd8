"""Tests of the Omniglot data set."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, DefaultScope

from mmfct.datasets import Omniglot

# Greek is in both archives, as in the published ones.
ARCHIVES = {
    'images_background_small1': ('Balinese', 'Greek'),
    'images_background_small2': ('Greek', 'Korean'),
}
CHARACTERS = ('character01', 'character02')
DRAWERS = (1, 2, 14, 15, 20)


def _png(seed: int) -> bytes:
    """Black random ink on white, 105x105."""
    img = np.where(np.random.default_rng(seed).random((105, 105)) < 0.1, 0, 255).astype(np.uint8)
    return cv2.imencode('.png', img)[1].tobytes()


def _members(archive: str) -> dict[str, bytes]:
    """Path in the archive -> PNG file, the same for the same character and drawer."""
    return {
        f'{archive}/{alphabet}/{character}/01{number:02d}_{drawer:02d}.png': _png(
            1000 * (ord(alphabet[0]) + number) + drawer
        )
        for alphabet in ARCHIVES[archive]
        for number, character in enumerate(CHARACTERS)
        for drawer in DRAWERS
    }


@pytest.fixture(scope='module')
def data_root(tmp_path_factory) -> str:
    root = tmp_path_factory.mktemp('omniglot')
    for archive in ARCHIVES:
        with zipfile.ZipFile(root / f'{archive}.zip', 'w') as file:
            file.writestr(f'{archive}/', '')
            file.writestr(f'__MACOSX/{archive}/._Balinese', b'not an image')
            for member, data in _members(archive).items():
                file.writestr(member, data)
    return str(root)


def test_classes_are_sorted_and_an_alphabet_in_two_archives_is_kept_once(data_root):
    dataset = Omniglot(data_root, drawers=(1, 20))
    assert dataset.metainfo['classes'] == tuple(
        f'{alphabet}/{character}' for alphabet in ('Balinese', 'Greek', 'Korean') for character in CHARACTERS
    )
    assert len(dataset) == 6 * len(DRAWERS)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert len({info['img_path'] for info in infos}) == len(infos)
    for i, info in enumerate(infos):
        name = dataset.metainfo['classes'][info['gt_label']]
        assert info['img_path'].startswith(name + '/')
        assert dataset.get_cat_ids(i) == [info['gt_label']]
        assert info['sample_idx'] == i


@pytest.mark.parametrize(('drawers', 'kept'), [((1, 14), 3), ([15, 20], 2), ((2, 2), 1)])
def test_drawers_are_an_inclusive_range_and_do_not_change_the_classes(data_root, drawers, kept):
    dataset = Omniglot(data_root, drawers=drawers)
    assert len(dataset) == 6 * kept
    assert len(dataset.metainfo['classes']) == 6
    for i in range(len(dataset)):
        drawer = int(dataset.get_data_info(i)['img_path'][-6:-4])
        assert drawers[0] <= drawer <= drawers[1]


def test_alphabets_as_labels(data_root):
    dataset = Omniglot(data_root, drawers=(1, 1), labels='alphabet')
    assert dataset.metainfo['classes'] == ('Balinese', 'Greek', 'Korean')
    assert [dataset.get_data_info(i)['gt_label'] for i in range(6)] == [0, 0, 1, 1, 2, 2]


def test_images_are_white_ink_on_black_made_by_area_interpolation(data_root):
    dataset = Omniglot(data_root, image_size=35)
    path, data = next(iter(_members('images_background_small1').items()))
    info = dataset.get_data_info(0)
    assert path.endswith(info['img_path'])
    assert info['img'].shape == (35, 35, 1)
    assert info['img'].dtype == np.uint8
    assert info['img_shape'] == info['ori_shape'] == (35, 35)
    original = 255 - cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    blocks = original.reshape(35, 3, 35, 3).mean(axis=(1, 3))  # 105 / 35 is a whole number
    assert np.abs(info['img'][..., 0] - blocks).max() <= 0.5


def test_unpacked_folders_give_the_same_as_zip_files(data_root, tmp_path):
    for archive in ARCHIVES:
        with zipfile.ZipFile(Path(data_root, f'{archive}.zip')) as file:
            file.extractall(tmp_path)
    zipped, unpacked = Omniglot(data_root), Omniglot(str(tmp_path))
    assert zipped.metainfo == unpacked.metainfo
    assert len(zipped) == len(unpacked)
    for i in range(len(zipped)):
        first, second = zipped.get_data_info(i), unpacked.get_data_info(i)
        np.testing.assert_array_equal(first.pop('img'), second.pop('img'))
        assert first == second


def test_archives_chooses_what_is_read(data_root):
    dataset = Omniglot(data_root, archives=['images_background_small1'])
    assert {name.split('/')[0] for name in dataset.metainfo['classes']} == {'Balinese', 'Greek'}


def test_options_of_mmengine_reach_the_base_class(data_root):
    options = dict(metainfo=dict(task='glyphs'), indices=[5, 1], serialize_data=False)
    dataset = Omniglot(data_root, lazy_init=True, test_mode=True, max_refetch=3, **options)
    assert 'classes' not in dataset.metainfo
    dataset.full_init()
    assert dataset.metainfo['task'] == 'glyphs'
    assert len(dataset) == 2
    assert dataset.test_mode
    assert dataset.max_refetch == 3
    everything = Omniglot(data_root)
    assert dataset.get_data_info(0)['img_path'] == everything.get_data_info(5)['img_path']


@pytest.mark.parametrize('serialize_data', [True, False])
def test_changing_an_image_in_a_transform_leaves_the_data_set_alone(data_root, serialize_data):
    def blacken(results: dict) -> dict:
        results['img'][...] = 0
        return results

    dataset = Omniglot(data_root, pipeline=[blacken], serialize_data=serialize_data)
    assert dataset[0]['img'].max() == 0
    assert dataset.get_data_info(0)['img'].max() > 0


def test_stock_transforms_of_mmpretrain_work(data_root):
    pytest.importorskip('mmpretrain')
    pipeline = [
        dict(type='RandomResizedCrop', scale=28, crop_ratio_range=(0.6, 1.0)),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackInputs'),
    ]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(dict(type='mmfct.Omniglot', data_root=data_root, pipeline=pipeline))
    item = dataset[4]
    assert item['inputs'].shape == (1, 28, 28)
    assert item['inputs'].dtype == torch.uint8
    assert item['data_samples'].gt_label.tolist() == dataset.get_cat_ids(4)
    assert item['data_samples'].sample_idx == 4
    assert item['data_samples'].img_path == dataset.get_data_info(4)['img_path']


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        (dict(drawers=(0, 14)), r'`drawers` must be .* <= 20, got \(0, 14\)'),
        (dict(drawers=(15, 14)), '`drawers` must be'),
        (dict(drawers=(1, 21)), '`drawers` must be'),
        (dict(drawers=(1,)), '`drawers` must be'),
        (dict(labels='drawer'), "`labels` must be 'character' or 'alphabet', got 'drawer'"),
        (dict(image_size=0), '`image_size` must be at least 1, got 0'),
        (dict(archives=()), '`archives` must be a non-empty sequence'),
        (dict(archives='images_evaluation'), '`archives` must be a non-empty sequence'),
    ],
)
def test_bad_options(data_root, options, match):
    with pytest.raises(ValueError, match=match):
        Omniglot(data_root, **options)


def test_missing_archive_names_the_file_and_the_source(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'Omniglot data set .*brendenlake.*') as error:
        Omniglot(str(tmp_path / 'absent'))
    assert str(tmp_path / 'absent' / 'images_background_small1.zip') in str(error.value)


def test_no_image_of_the_drawers(data_root):
    with pytest.raises(ValueError, match=r'must have images of drawers \(3, 13\)'):
        Omniglot(data_root, drawers=(3, 13))


def test_file_that_is_no_zip(tmp_path):
    (tmp_path / 'a.zip').write_bytes(b'interrupted download')
    with pytest.raises(ValueError, match=r'a\.zip in `data_root` is damaged'):
        Omniglot(str(tmp_path), archives=['a'])


def test_zip_with_damaged_content(tmp_path):
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as file:
        file.writestr('a/Greek/character01/0101_01.png', _png(0))
    data = bytearray((tmp_path / 'a.zip').read_bytes())
    data[100] ^= 255  # inside the stored image: the checksum no longer fits
    (tmp_path / 'a.zip').write_bytes(data)
    with pytest.raises(ValueError, match=r'a\.zip in `data_root` is damaged'):
        Omniglot(str(tmp_path), archives=['a'])


@pytest.mark.parametrize('data', [b'', b'not an image'])
def test_unreadable_image(tmp_path, data):
    folder = tmp_path / 'a' / 'Greek' / 'character01'
    folder.mkdir(parents=True)
    (folder / '0101_01.png').write_bytes(data)
    with pytest.raises(ValueError, match=r'character01/0101_01\.png in `data_root` is not a'):
        Omniglot(str(tmp_path), archives=['a'])


def test_published_files(real_images):
    root = real_images('omniglot')
    sizes = {drawers: len(Omniglot(root, drawers=drawers)) for drawers in ((1, 14), (15, 20))}
    assert sizes == {(1, 14): 242 * 14, (15, 20): 242 * 6}
    dataset = Omniglot(root, labels='alphabet', drawers=(1, 1))
    assert len(dataset) == 242
    assert len(dataset.metainfo['classes']) == 8
    assert len(Omniglot(root, drawers=(1, 1)).metainfo['classes']) == 242
