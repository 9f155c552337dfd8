"""Searching with image files: the file itself is found, and the wrong model is refused."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.search_gallery import search_images

PIPELINE = [dict(type='LoadImageFromFile', color_type='grayscale'), dict(type='PackInputs')]


def test_a_file_of_the_gallery_is_its_own_neighbour(digits, tmp_path):
    photos, rng = tmp_path / 'photos', np.random.default_rng(0)
    photos.mkdir()
    for number in range(6):
        cv2.imwrite(str(photos / f'{number}.png'), rng.integers(0, 255, (16, 16), dtype=np.uint8))
    options = dict(cfg_options=digits.cfg_options | dict(folder_pipeline=PIPELINE))
    old, new = (str(digits.root / f'resnet10_digits_{role}/final.pth') for role in ('old', 'new'))
    gallery = str(tmp_path / 'gallery')
    extract_gallery(digits.config, new, gallery, role='new', images=str(photos), **options)
    images = [str(photos / name) for name in ('4.png', '1.png')]
    files = dict(image_root=photos, out=tmp_path / 'out')
    found = search_images(gallery, images, digits.config, new, k=3, **files, **options)
    assert found.queries == images and [ids[0] for ids in found.ids] == ['4.png', '1.png']
    assert all(distances[0] < 1e-3 < distances[1] for distances in found.distances)
    assert len(json.loads((tmp_path / 'out/neighbours.json').read_text())) == 2
    assert (tmp_path / 'out/neighbours.png').is_file()
    twice = [images[0], images[1], images[0]]
    again = search_images(gallery, twice, digits.config, new, k=3, **options)
    assert again.queries == twice and again.ids == [found.ids[0], found.ids[1], found.ids[0]]
    with pytest.raises(ValueError, match=r'queries of resnet10_digits_old .* a gallery of resnet10_digits_new'):
        search_images(gallery, images, digits.config, old, role='old', **options)
    with pytest.raises(FileNotFoundError, match="1 image files do not exist, such as '.*no.png'"):
        search_images(gallery, [str(photos / 'no.png')], digits.config, new, **options)
