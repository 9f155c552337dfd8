"""Galleries that independent jobs make in parts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.merge_gallery import merge_gallery
from mmfct.apis.training.config import load_config
from mmfct.registry import MODELS
from mmfct.retrieval import Gallery, is_complete
from mmfct.retrieval.gallery.parts import Part
from mmfct.utils.json import encode_json

CONFIG = str(Path(__file__).parents[3] / 'configs/fct/resnet10_digits_old.py')
PIPELINE = [dict(type='LoadImageFromFile', color_type='grayscale'), dict(type='PackInputs')]
OPTIONS = dict(shard_rows=4, batch_size=3, cfg_options=dict(image_size=8, folder_pipeline=PIPELINE))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope='module')
def checkpoints(tmp_path_factory) -> list[str]:
    """Checkpoints of two models with random weights."""
    folder, config = tmp_path_factory.mktemp('models'), load_config(CONFIG, dict(image_size=8))
    init_default_scope('mmpretrain')
    paths = [str(folder / f'v{number}.pth') for number in (1, 2)]
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        torch.save(dict(state_dict=MODELS.build(config.model).state_dict()), path)
    return paths


@pytest.fixture(scope='module')
def photos(tmp_path_factory) -> Path:
    """22 images, of which two are broken: their last shard of four has two."""
    folder = tmp_path_factory.mktemp('photos')
    rng = np.random.default_rng(0)
    for number in range(22):
        cv2.imwrite(str(folder / f'{number:02d}.png'), rng.integers(0, 256, (8, 8)).astype(np.uint8))
    for name in ('05.png', '21.png'):
        (folder / name).write_bytes(b'no image')
    return folder


@pytest.fixture(scope='module')
def whole(checkpoints, photos, tmp_path_factory) -> Path:
    """What one job makes, and beside it the three parts; change nothing."""
    folder = tmp_path_factory.mktemp('parts')
    options = OPTIONS | dict(images=str(photos), skip_broken=True)
    extract_gallery(CONFIG, checkpoints[0], str(folder / 'alone'), **options)
    for shard in ('2/3', '1/3', '3/3'):
        extract_gallery(CONFIG, checkpoints[0], str(folder / 'gallery'), shard=shard, **options)
    return folder


@pytest.fixture
def parts(whole, tmp_path) -> Path:
    """A copy of the parts, to be spoilt."""
    for folder in whole.glob('gallery.*'):
        shutil.copytree(folder, tmp_path / folder.name)
    return tmp_path


def test_merged_parts_have_the_bytes_of_one_job(whole, tmp_path):
    parts = sorted(whole.glob('gallery.*'))
    assert [part.name for part in parts] == ['gallery.1-of-3', 'gallery.2-of-3', 'gallery.3-of-3']
    assert [len(Gallery(part)) for part in parts] == [7, 8, 5]
    merged = merge_gallery(tmp_path / 'gallery', parts[::-1])
    assert contents(tmp_path / 'gallery') == contents(whole / 'alone')
    assert len(merged) == 20 and [entry['id'] for entry in json.loads((merged.path / 'skipped.json').read_text())] == [
        '05.png',
        '21.png',
    ]


def test_augmentations_are_those_of_one_job(checkpoints, tmp_path):
    """Transforms that draw random numbers are seeded by the number of the shard in the whole."""
    crop = dict(type='RandomCrop', crop_size=8, padding=2)
    (tmp_path / 'photos').mkdir()
    rng = np.random.default_rng(1)
    for number in range(10):
        cv2.imwrite(str(tmp_path / f'photos/{number}.png'), rng.integers(0, 256, (8, 8)).astype(np.uint8))
    options = OPTIONS | dict(images=str(tmp_path / 'photos'))
    options['cfg_options'] = dict(image_size=8, folder_pipeline=[PIPELINE[0], crop, PIPELINE[1]])
    extract_gallery(CONFIG, checkpoints[0], str(tmp_path / 'alone'), **options)
    for shard in ('1/2', '2/2'):
        extract_gallery(CONFIG, checkpoints[0], str(tmp_path / 'gallery'), shard=shard, **options)
    merge_gallery(tmp_path / 'gallery')
    assert contents(tmp_path / 'gallery') == contents(tmp_path / 'alone')


def test_a_missing_part_is_named_with_what_makes_it(parts):
    shutil.rmtree(parts / 'gallery.2-of-3')
    with pytest.raises(
        ValueError, match=r'all 3 parts must be there, got none of \[2\]; make .*gallery.2-of-3.*--shard 2/3'
    ):
        merge_gallery(parts / 'gallery')
    assert not (parts / 'gallery').exists()


def test_a_part_of_another_model_is_named(parts, checkpoints, photos):
    shutil.rmtree(parts / 'gallery.2-of-3')
    options = OPTIONS | dict(images=str(photos), skip_broken=True)
    extract_gallery(CONFIG, checkpoints[1], str(parts / 'gallery'), shard='2/3', **options)
    with pytest.raises(ValueError, match=r'one gallery, got .*gallery.2-of-3. with another embedding_model than'):
        merge_gallery(parts / 'gallery')


def test_parts_of_two_divisions_are_told_apart(parts, checkpoints, photos):
    options = OPTIONS | dict(images=str(photos), skip_broken=True)
    extract_gallery(CONFIG, checkpoints[0], str(parts / 'gallery'), shard='1/2', **options)
    with pytest.raises(ValueError, match='with another number of parts'):
        merge_gallery(parts / 'gallery')


def test_a_part_may_be_there_once(parts):
    shutil.copytree(parts / 'gallery.1-of-3', parts / 'copy')
    with pytest.raises(ValueError, match=r'every part must be there once, got 1/3 in .*copy. and in .*gallery.1-of-3'):
        merge_gallery(parts / 'gallery', [*sorted(parts.glob('gallery.*')), parts / 'copy'])


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ([0, 9], 'must hold the items from 0 on, got 7 of the items 0 to 9'),
        ([1, 9], 'must hold the items from 0 on'),
    ],
)
def test_rows_that_are_not_those_of_the_part(parts, rows, message):
    rewrite(parts / 'gallery.1-of-3', lambda metadata: metadata['part'].update(rows=rows))
    with pytest.raises(ValueError, match=message):
        merge_gallery(parts / 'gallery')


def test_parts_that_end_too_early(parts):
    for folder in parts.glob('gallery.*'):
        rewrite(folder, lambda metadata: metadata['part'].update(num_rows=23))
    with pytest.raises(ValueError, match='the parts must hold all 23 items, got 22'):
        merge_gallery(parts / 'gallery')


def rewrite(folder: Path, change) -> None:
    """Change the metadata of a gallery."""
    manifest = json.loads((folder / 'manifest.json').read_text())
    change(manifest['metadata'])
    (folder / 'manifest.json').write_bytes(encode_json(manifest, sort_keys=True))


def test_a_damaged_part_is_found_and_the_merge_continues_once_it_is_restored(parts, whole):
    file = parts / 'gallery.3-of-3/embedding-00001.npy'
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b'?')
    with pytest.raises(ValueError, match='embedding-00001.npy must match its checksum'):
        merge_gallery(parts / 'gallery')
    assert not is_complete(parts / 'gallery')
    file.write_bytes(content)
    merge_gallery(parts / 'gallery')
    assert contents(parts / 'gallery') == contents(whole / 'alone')


def test_what_is_no_part_is_refused(whole, tmp_path):
    with pytest.raises(ValueError, match=r"alone' must be a part made with `--shard`, got a whole gallery"):
        merge_gallery(tmp_path / 'gallery', [whole / 'alone'])
    with pytest.raises(FileNotFoundError, match=r"must lie beside it, such as 'gallery.1-of-8', got none"):
        merge_gallery(tmp_path / 'gallery')
    with pytest.raises(FileNotFoundError, match='got none'):
        merge_gallery(tmp_path / 'nowhere/gallery')
    with pytest.raises(ValueError, match='`out` must be another folder than that of a part'):
        merge_gallery(whole / 'gallery.1-of-3', sorted(whole.glob('gallery.*')))


@pytest.mark.parametrize('text', ['0/3', '4/3', '3', 'a/b', '1/0', '-1/3'])
def test_a_part_is_two_numbers(text):
    with pytest.raises(ValueError, match=f'K/N with K from 1 to N, such as 3/64, got {text!r}'):
        Part.parse(text)


def test_every_shard_is_of_one_part_and_none_is_empty():
    for of in range(1, 8):
        shards = [shard for number in range(1, of + 1) for shard in Part(number, of).shards(27, 4)]
        assert shards == list(range(7))
    with pytest.raises(ValueError, match='27 items must fill a shard of 4 rows for each of 8 parts, got 7 shards'):
        Part(1, 8).shards(27, 4)


def test_folders_of_many_parts_are_listed_in_order(tmp_path):
    assert Part(3, 64).folder(tmp_path / 'gallery') == tmp_path / 'gallery.03-of-64'
