"""What the small data sets in memory share, and which arguments reach mmengine's base class."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmfct.datasets import CityscapesMultiTask, Digits, GroceryStore, Omniglot, Surreal
from mmfct.datasets.memory_images import MemoryImages, image_annotation


class Squares(MemoryImages):
    def load_data_list(self):
        images = (np.full((self.image_size, 2, 1), label, np.uint8) for label in (3, 5))
        return [image_annotation(image, int(image[0, 0, 0]), f'{number}') for number, image in enumerate(images)]


def test_annotations():
    dataset = Squares(image_size=4, indices=[1])
    info = dataset.get_data_info(0)
    assert info.pop('img').shape == (4, 2, 1)
    assert info == dict(gt_label=5, img_path='1', img_shape=(4, 2), ori_shape=(4, 2), sample_idx=0)
    assert dataset.get_cat_ids(0) == [5]


def test_decoding():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    data, dataset = cv2.imencode('.png', image)[1].tobytes(), Squares(image_size=1, data_root='here')
    assert np.array_equal(dataset._decode(data, 'a.png', cv2.IMREAD_COLOR), image)
    assert dataset._decode(data, 'a.png', cv2.IMREAD_GRAYSCALE).shape == (2, 2)
    for broken in (b'', b'not an image'):
        with pytest.raises(ValueError, match=r"a\.png in `data_root` is not a readable image; .*, got 'here'"):
            dataset._decode(broken, 'a.png', cv2.IMREAD_COLOR)


def test_image_size():
    with pytest.raises(ValueError, match='`image_size` must be at least 1, got 0'):
        Squares(image_size=0)


@pytest.mark.parametrize('argument', ['lazyinit', 'ann_file', 'data_prefix', 'filter_cfg'])
@pytest.mark.parametrize('kind', [Digits, Omniglot, GroceryStore, CityscapesMultiTask, Surreal])
def test_arguments_that_a_data_set_does_not_take(kind, argument):
    root = {} if kind is Digits else dict(data_root='nowhere')
    with pytest.raises(TypeError, match=argument):
        kind(**root, lazy_init=True, **{argument: None})


def test_digits_have_no_folder():
    with pytest.raises(TypeError, match='data_root'):
        Digits(data_root='somewhere')
