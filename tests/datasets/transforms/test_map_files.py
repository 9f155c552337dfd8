"""Tests of reading arrays from files."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmfct.datasets.transforms.map_files import check_size, image_size, read_npy, read_png


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_png_as_it_is(tmp_path, dtype):
    array = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (5, 7)).astype(dtype)
    cv2.imwrite(str(tmp_path / 'a.png'), array)
    assert np.array_equal(read_png(str(tmp_path / 'a.png')), array)


@pytest.mark.parametrize('keep', [0, 20, 0.5, -4])
def test_png_that_ends_early(tmp_path, keep):
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 65536, (32, 32)).astype(np.uint16))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match=r'a\.png is not a readable PNG image, or ends early'):
        read_png(str(path))


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.png'):
        read_png(str(tmp_path / 'a.png'))
    with pytest.raises(FileNotFoundError, match=r'a\.npy'):
        read_npy(str(tmp_path / 'a.npy'))


@pytest.mark.parametrize('keep', [0, 5, 90, -4])
def test_array_that_ends_early(tmp_path, keep):
    path = tmp_path / 'a.npy'
    np.save(path, np.zeros((9, 9)))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r'a\.npy is not a readable \.npy file'):
        read_npy(str(path))


@pytest.mark.parametrize('value', [np.nan, np.inf, 'a', 1j])
def test_array_of_something_else_than_finite_numbers(tmp_path, value):
    np.save(tmp_path / 'a.npy', np.array([value]))
    with pytest.raises(ValueError, match=r'a\.npy must hold finite numbers'):
        read_npy(str(tmp_path / 'a.npy'))


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match=r'a\.npy is not a readable \.npy file'):
        read_npy(str(tmp_path / 'a.npy'))


def test_size_of_the_image():
    results = dict(ori_shape=(3, 4), img=np.zeros((6, 8, 3)))  # a host's Resize in between
    assert image_size(results) == (3, 4)
    check_size(np.zeros((3, 4)), results, 'a.png')
    with pytest.raises(ValueError, match=r'a\.png must have the size \(3, 4\) of its image None, got .*\(3, 4, 1\)'):
        check_size(np.zeros((3, 4, 1)), results, 'a.png')
    with pytest.raises(ValueError, match='`pipeline` must load the image before its maps'):
        image_size({})
