"""Tests of reading arrays from files."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mmfct.datasets.transforms.map_files import check_size, image_size, read_npy, read_png


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_png_as_it_is(tmp_path, dtype):
    array = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (5, 7)).astype(dtype)
    cv2.imwrite(str(tmp_path / 'a.png'), array)
    assert np.array_equal(read_png(str(tmp_path / 'a.png')), array)


@pytest.mark.parametrize(('mode', 'bits'), [('P', 8), ('P', 1), ('P', 2), ('P', 4), ('L', 8), ('1', 1), ('I;16', 16)])
def test_values_are_those_in_the_file(tmp_path, mode, bits):
    values = np.random.default_rng(0).integers(0, 2 ** min(bits, 8), (5, 7)).astype(np.uint8)
    image = Image.fromarray(values.astype({'1': bool, 'I;16': np.uint16}.get(mode, np.uint8)))
    if mode == 'P':
        image = Image.fromarray(values, 'P')
        image.putpalette([200, 0, 0, 0, 200, 0, *range(254), *range(254), *range(254)][:768])
    image.save(tmp_path / 'a.png', **dict(bits=bits) if mode == 'P' else {})
    assert (tmp_path / 'a.png').read_bytes()[24] == bits
    assert np.array_equal(read_png(str(tmp_path / 'a.png')), values)


@pytest.mark.parametrize('bits', [2, 4])
def test_few_bits_of_grey_are_not_spread(tmp_path, bits):
    values = np.arange(2**bits, dtype=np.uint8)[None]
    packed = np.packbits(np.unpackbits(values[..., None], axis=2)[..., -bits:])
    chunks = [
        (b'IHDR', struct.pack('>IIBBBBB', 2**bits, 1, bits, 0, 0, 0, 0)),
        (b'IDAT', zlib.compress(b'\0' + bytes(packed))),
    ]
    parts = [
        struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        for kind, data in [*chunks, (b'IEND', b'')]
    ]
    (tmp_path / 'a.png').write_bytes(b'\x89PNG\r\n\x1a\n' + b''.join(parts))
    assert np.array_equal(read_png(str(tmp_path / 'a.png')), values)


@pytest.mark.parametrize('suffix', ['.jpg', '.tif', '.bmp'])
def test_other_formats(tmp_path, suffix):
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(tmp_path / f'a{suffix}')
    with pytest.raises(ValueError, match=f'a{suffix} must be a PNG image, whose pixels are exact, got another format'):
        read_png(str(tmp_path / f'a{suffix}'))


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
