"""Tests of the transform that loads disparity maps."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from mmfct.datasets.transforms import LoadDisparity

FX, BASELINE = 40.0, 0.25
PIXELS = np.array([[0, 1, 2, 257], [513, 1281, 65535, 0], [100, 200, 300, 400]], np.uint16)


def load(path, camera_path=None, size=(3, 4), **options):
    results = dict(
        ori_shape=size,
        img_path='a.png',
        depth_map_path=path and str(path),
        camera_path=camera_path and str(camera_path),
    )
    return LoadDisparity(**options)(results)


@pytest.fixture
def png(tmp_path):
    cv2.imwrite(str(tmp_path / 'd.png'), PIXELS)
    return tmp_path / 'd.png'


@pytest.fixture
def camera(tmp_path):
    text = json.dumps(dict(intrinsic=dict(fx=FX), extrinsic=dict(baseline=BASELINE)))
    (tmp_path / 'c.json').write_text(text)
    return tmp_path / 'c.json'


def expected(value):
    """The definition, pixel by pixel; ``value`` maps a disparity above 0."""
    return [[value((p - 1) / 256) if 1 < p < 65535 else 0.0 for p in row] for row in PIXELS.tolist()]


@pytest.mark.parametrize(
    ('target', 'value'),
    [
        ('inverse_depth', lambda d: d / (FX * BASELINE)),
        ('depth', lambda d: FX * BASELINE / d),
        ('disparity', lambda d: d),
    ],
)
def test_targets_with_a_camera_file(png, camera, target, value):
    results = load(png, camera, target=target)
    assert results['gt_depth_map'].dtype == np.float32
    assert np.allclose(results['gt_depth_map'], expected(value), rtol=1e-6, atol=0)
    assert results['seg_fields'] == ['gt_depth_map']
    assert results['depth_target'] == target


def test_targets_without_a_camera_file(png):
    assert np.allclose(load(png)['gt_depth_map'], expected(lambda d: d / 4), rtol=1e-6)
    assert np.allclose(load(png, target='disparity')['gt_depth_map'], expected(lambda d: d), rtol=1e-6)
    with pytest.raises(ValueError, match=r"`target` must not be 'depth' without a camera file, got none for .*d\.png"):
        load(png, target='depth')


def test_arrays_of_inverse_depth(tmp_path):
    values = np.array([[0, 0.25, -0.004, 3]])
    for name, array in dict(a=values[..., None], b=values).items():
        np.save(tmp_path / f'{name}.npy', array)
        results = load(tmp_path / f'{name}.npy', size=(1, 4))
        assert results['gt_depth_map'].tolist() == [[0, 0.25, 0, 3]]
        assert results['gt_depth_map'].dtype == np.float32
    with pytest.raises(ValueError, match=r"`target` must be 'inverse_depth' for .*a\.npy, got 'depth'"):
        load(tmp_path / 'a.npy', size=(1, 4), target='depth')


def test_arrays_of_depth(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([[[0.0], [2.5], [-1.0], [9.0]]]))
    results = load(tmp_path / 'a.npy', size=(1, 4), target='depth', npy_holds='depth')
    assert results['gt_depth_map'].tolist() == [[0, 2.5, 0, 9]] and results['depth_target'] == 'depth'
    with pytest.raises(ValueError, match=r"`target` must be 'depth' for .*a\.npy, got 'inverse_depth'; .*`npy_holds`"):
        load(tmp_path / 'a.npy', size=(1, 4), npy_holds='depth')
    with pytest.raises(ValueError, match=r"`npy_holds` must be one of .*, got 'metres'"):
        LoadDisparity(npy_holds='metres')


@pytest.mark.parametrize('target', ['inverse_depth', 'depth', 'disparity'])
def test_images_without_any_known_depth(tmp_path, camera, target):
    cv2.imwrite(str(tmp_path / 'd.png'), np.zeros((3, 4), np.uint16))
    for path in (None, tmp_path / 'd.png'):
        depth_map = load(path, camera, target=target)['gt_depth_map']
        assert depth_map.shape == (3, 4) and depth_map.dtype == np.float32 and (depth_map == 0).all()


@pytest.mark.parametrize(
    ('array', 'match'),
    [
        (np.zeros((3, 4), np.uint8), r'd\.png must be a PNG image of 16 bits and one channel, got uint8'),
        (np.zeros((3, 4, 3), np.uint16), r'd\.png must be .* one channel, got uint16 of shape \(3, 4, 3\)'),
        (np.zeros((4, 4), np.uint16), r'd\.png must have the size \(3, 4\) of its image a\.png, got .*\(4, 4\)'),
    ],
)
def test_bad_disparity_maps(tmp_path, array, match):
    cv2.imwrite(str(tmp_path / 'd.png'), array)
    with pytest.raises(ValueError, match=match):
        load(tmp_path / 'd.png')


def test_truncated_disparity_map(png):
    png.write_bytes(png.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r'd\.png is not a readable PNG image'):
        load(png)


def test_array_with_values_that_are_not_finite(tmp_path):
    np.save(tmp_path / 'd.npy', np.full((3, 4, 1), np.inf))
    with pytest.raises(ValueError, match=r'd\.npy must hold finite numbers'):
        load(tmp_path / 'd.npy')


@pytest.mark.parametrize(
    ('text', 'match'),
    [
        ('{', r'c\.json must be a camera file with numbers intrinsic\.fx and extrinsic\.baseline, got JSONDecode'),
        ('[]', r'c\.json must be a camera file .* got TypeError'),
        ('{"intrinsic": {"fx": 1}}', r"c\.json must be a camera file .* got KeyError\('extrinsic'\)"),
        ('{"intrinsic": {"fx": "a"}, "extrinsic": {"baseline": 1}}', r'c\.json must be a camera file .* ValueError'),
        ('{"intrinsic": {"fx": 0}, "extrinsic": {"baseline": 1}}', r'c\.json must have .* above 0, got .* 0\.0'),
        ('{"intrinsic": {"fx": NaN}, "extrinsic": {"baseline": 1}}', r'c\.json must have .* above 0, got .* nan'),
    ],
)
def test_bad_camera_files(png, camera, text, match):
    camera.write_text(text)
    with pytest.raises(ValueError, match=match):
        load(png, camera)


def test_unknown_target():
    with pytest.raises(ValueError, match="`target` must be one of .*inverse_depth.*, got 'height'"):
        LoadDisparity('height')


def test_an_image_of_no_data_set_has_no_labels():
    image = dict(img=np.zeros((3, 4, 3), np.uint8), ori_shape=(3, 4))  # as mmseg's inferencers load it
    assert LoadDisparity()(dict(image)).keys() == image.keys()
    with pytest.raises(KeyError, match='depth_map_path'):  # a data set that names no depth map is a mistake
        LoadDisparity()(dict(image, sample_idx=0))
