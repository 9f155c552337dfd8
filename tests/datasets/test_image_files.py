"""Tests of image files without labels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmfct.datasets.image_files import ImageFiles
from mmfct.registry import DATASETS


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(['b/1.PNG', 'a/2.jpg', '0.png', 'a/deep/3.webp']):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix.lower(), np.full((4, 4, 3), 10 * number, np.uint8))[1].tobytes())
    (tmp_path / 'notes.txt').write_text('no image')
    return tmp_path


def names(dataset, folder) -> list[str]:
    return [dataset.get_data_info(i)['img_path'].removeprefix(f'{folder}/') for i in range(len(dataset))]


def test_all_images_in_order(folder):
    dataset = DATASETS.build(dict(type='mmfct.ImageFiles', data_root=str(folder)))
    assert names(dataset, folder) == ['0.png', 'a/2.jpg', 'a/deep/3.webp', 'b/1.PNG']


def test_named_files_in_the_order_given(folder):
    dataset = ImageFiles(str(folder), ['b/1.PNG', '0.png'], pipeline=[dict(type='mmcv.LoadImageFromFile')])
    assert names(dataset, folder) == ['b/1.PNG', '0.png']
    assert dataset[1]['img'].shape == (4, 4, 3) and (dataset[1]['img'] == 20).all()


def test_what_is_missing(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match='`data_root` must be a folder of images, got .* does not exist'):
        ImageFiles(str(tmp_path / 'no'))
    with pytest.raises(FileNotFoundError, match="1 image files do not exist, such as '.*no.png'"):
        ImageFiles(str(folder), ['0.png', 'no.png'])
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='`data_root` must hold images, got none in'):
        ImageFiles(str(tmp_path / 'empty'))
