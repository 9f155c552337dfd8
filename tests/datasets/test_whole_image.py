"""Tests of the check for truncated images."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmfct.datasets.whole_image import check_whole_image


@pytest.fixture(params=['.jpg', '.png', '.webp', '.bmp'])
def image(request, tmp_path):
    """A picture of noise in a format."""
    path = tmp_path / f'a{request.param}'
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8))
    return path


def test_whole_images_pass(image):
    check_whole_image(image)


@pytest.mark.parametrize('share', [0.5, 0.9])
def test_truncated_images_are_refused(image, share):
    content = image.read_bytes()
    image.write_bytes(content[: int(share * len(content))])
    try:
        check_whole_image(image)
    except (OSError, SyntaxError):
        return
    assert cv2.imread(str(image)) is None  # the loader refuses it


def test_what_is_no_image_is_left_to_the_loader(tmp_path):
    check_whole_image(tmp_path / 'gone.png')
    (tmp_path / 'a.png').write_bytes(b'no image')
    check_whole_image(tmp_path / 'a.png')
