"""Rendered street scenes: the files, what the depth means, and folders in every state."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import mmcv.transforms
import numpy as np
import pytest
from renderers import folder
from renderers.street_scenes import render_street_scenes, street_scene

from mmfct.datasets.cityscapes_multi_task import CityscapesMultiTask

SMALL = dict(num_train=3, num_val=2, seed=5, size=(32, 64))
NAME = 'train00/train00_000001_000000'
CATEGORIES = [(7, 8), (11, 12, 13), (17, 19, 20), (21, 22), (23,), (24, 25), (26, 27, 28, 33)]


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    """Three training and two validation scenes; change nothing."""
    folder = tmp_path_factory.mktemp('scenes') / 'new/folder'
    assert render_street_scenes(folder, **SMALL) == 5
    return folder


@pytest.fixture(scope='module')
def scenes() -> list:
    return [street_scene('train', index) for index in range(24)]


def contents(folder: Path) -> dict[str, bytes]:
    """Path -> content of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_files_are_those_of_cityscapes(root):
    files = contents(root)
    assert len(files) == 5 * 4 + 1
    assert {f'leftImg8bit/train/{NAME}_leftImg8bit.png', f'camera/train/{NAME}_camera.json'} < set(files)
    image = cv2.imread(str(root / f'leftImg8bit/train/{NAME}_leftImg8bit.png'), cv2.IMREAD_UNCHANGED)
    labels = cv2.imread(str(root / f'gtFine/train/{NAME}_gtFine_labelIds.png'), cv2.IMREAD_UNCHANGED)
    disparity = cv2.imread(str(root / f'disparity/train/{NAME}_disparity.png'), cv2.IMREAD_UNCHANGED)
    assert (image.shape, image.dtype) == ((32, 64, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((32, 64), np.uint8)
    assert (disparity.shape, disparity.dtype) == ((32, 64), np.uint16)
    camera = json.loads((root / f'camera/train/{NAME}_camera.json').read_text())
    assert set(camera['extrinsic']) == {'baseline', 'pitch', 'roll', 'x', 'y', 'yaw', 'z'}
    assert set(camera['intrinsic']) == {'fx', 'fy', 'u0', 'v0'}


def test_the_reader_of_cityscapes_reads_inverse_depth(root):
    pipeline = [mmcv.transforms.LoadImageFromFile(), dict(type='mmfct.LoadLabelMap'), dict(type='mmfct.LoadDisparity')]
    dataset = CityscapesMultiTask(str(root), num_classes=7, pipeline=pipeline)
    assert len(dataset) == 3
    scene, sample = street_scene('train', 1, seed=5, size=(32, 64)), dataset[1]
    known = sample['gt_depth_map'] > 0
    np.testing.assert_allclose(sample['gt_depth_map'][known], 1 / scene.depth[known], rtol=0, atol=1e-5)
    assert np.array_equal(sample['img'], scene.image[..., ::-1])
    assert np.array_equal(sample['gt_seg_map'] == 4, scene.labels == 23)


def test_disparity_and_camera_file_give_the_rendered_depth(scenes):
    for scene in scenes:
        camera = scene.camera.description()
        code = scene.camera.encode_disparity(scene.depth).astype(float)
        known = code > 0
        inverse = (code[known] - 1) / 256 / (camera['intrinsic']['fx'] * camera['extrinsic']['baseline'])
        step = 1 / 256 / (scene.camera.focal * scene.camera.baseline)
        assert np.abs(inverse - 1 / scene.depth[known]).max() <= 0.51 * step
        # 400 m is the end; there a step of the file is a third of a percent.
        assert scene.depth[known].max() <= 400 and step * 400 < 0.004


def test_the_road_has_the_depth_that_the_camera_file_implies(scenes):
    for scene in scenes:
        camera = scene.camera.description()
        extrinsic, intrinsic = camera['extrinsic'], camera['intrinsic']
        rows, columns = np.nonzero(scene.labels == 7)
        # The height that a pixel's ray loses per metre of depth, from the angles of the camera alone.
        down = np.sin(extrinsic['pitch']) + np.cos(extrinsic['pitch']) * (rows - intrinsic['v0']) / intrinsic['fy']
        np.testing.assert_allclose(scene.depth[rows, columns], extrinsic['z'] / down, rtol=1e-3)


def test_yaw_turns_the_camera_to_the_left(scenes):
    # The road's far end is where the camera would look without yaw.
    for scene in scenes[:8]:
        camera = scene.camera
        column, _, depth = camera.project(np.array([camera.position[0], 0.0, 1000.0]))
        assert depth > 0
        assert column - camera.center[0] == pytest.approx(camera.focal * np.tan(camera.yaw), rel=0.01)


def test_sky_bonnet_and_left_border_have_no_disparity(scenes):
    for scene in scenes:
        known = scene.measured & (scene.camera.encode_disparity(scene.depth) > 0)
        assert not known[np.isin(scene.labels, (1, 23))].any()
        assert not known[:, :2].any()
        assert np.isinf(scene.depth[scene.labels == 23]).all()
        others = ~np.isin(scene.labels, (1, 23)) & (scene.depth < 400)
        assert known[:, 2:][others[:, 2:]].all()


def test_near_depths_that_16_bits_do_not_hold_are_unknown(scenes):
    camera = scenes[0].camera
    assert camera.encode_disparity(np.array([1.84, 1.86, 399, 401, np.inf])).astype(bool).tolist() == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_scenes_have_all_categories_and_differ(scenes):
    present = np.array([[np.isin(scene.labels, ids).any() for ids in CATEGORIES] for scene in scenes])
    assert present.mean(0).min() >= 0.8
    assert present.all(1).mean() >= 0.75
    images = np.stack([scene.image for scene in scenes]).astype(float)
    assert np.abs(np.diff(images, axis=0)).mean((1, 2, 3)).min() > 10
    # Neither colours nor places of pixels give the depth away: the best constant per pixel is far off.
    inverse = np.stack([1 / scene.depth for scene in scenes])
    assert np.abs(inverse - inverse.mean(0)).mean() > 0.15 * inverse.mean()


def test_a_scene_depends_on_seed_split_index_and_size_only(root, tmp_path):
    render_street_scenes(tmp_path, **SMALL | dict(num_train=2, num_val=1))
    ours, theirs = contents(tmp_path), contents(root)
    shared = set(ours) - {'street_scenes.json'}
    assert len(shared) == 12
    assert all(ours[name] == theirs[name] for name in shared)
    variants = [('train', 0, 5), ('train', 1, 5), ('val', 0, 5), ('train', 0, 6)]
    images = {street_scene(split, index, seed=seed, size=(32, 64)).image.tobytes() for split, index, seed in variants}
    assert len(images) == 4


def test_rendering_asks_no_global_generator():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    street_scene('train', 0, size=(16, 32))
    assert np.array_equal(before, np.random.get_state()[1])


def test_a_complete_folder_is_left_alone(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob('*')}
    assert render_street_scenes(root, **SMALL) == 0
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob('*')}


def test_an_interrupted_folder_is_completed(root, tmp_path, monkeypatch):
    write, calls = folder.write_files, []

    def write_three(files, payloads):
        calls.append(files)
        if len(calls) == 3:
            half = dict(list(payloads.items())[:2])
            write({kind: files[kind] for kind in half}, half)
            raise KeyboardInterrupt
        write(files, payloads)

    monkeypatch.setattr(folder, 'write_files', write_three)
    with pytest.raises(KeyboardInterrupt):
        render_street_scenes(tmp_path, **SMALL)
    assert not (tmp_path / 'street_scenes.json').exists()
    with pytest.raises(ValueError, match=r'with seed=5, got seed=6'):
        render_street_scenes(tmp_path, **SMALL | dict(seed=6))
    monkeypatch.undo()
    assert render_street_scenes(tmp_path, **SMALL) == 3
    assert contents(tmp_path) == contents(root)


def test_two_writers_may_write_one_folder(root, tmp_path):
    # Threads stand for processes, which take seconds to start: all they share is the folder.
    with ThreadPoolExecutor(2) as pool:
        written = list(pool.map(lambda _: render_street_scenes(tmp_path, **SMALL), range(2)))
    assert sum(written) >= 5
    assert contents(tmp_path) == contents(root)


def test_a_folder_that_another_process_finishes_in_the_meantime(root, tmp_path, monkeypatch):
    (tmp_path / 'street_scenes.started.json').write_bytes((root / 'street_scenes.json').read_bytes())
    read = Path.read_bytes

    def vanish(path):
        path.unlink()
        return read(path)

    monkeypatch.setattr(Path, 'read_bytes', vanish)
    assert render_street_scenes(tmp_path, **SMALL) == 5


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(seed=1), 'with seed=5, got seed=1'),
        (dict(size=(64, 32), num_val=7), r'with num_val=2, size=\[32, 64\], got num_val=7, size=\[64, 32\]'),
    ],
)
def test_other_parameters_are_refused(root, change, message):
    before = contents(root)
    with pytest.raises(ValueError, match=rf'`out` holds street scenes {message}; .* rm -r {root}'):
        render_street_scenes(root, **SMALL | change)
    assert contents(root) == before


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / 'precious.txt').touch()
    with pytest.raises(ValueError, match=r"`out` must be a new or empty folder, .* which holds 'precious.txt'"):
        render_street_scenes(tmp_path, **SMALL)
    assert list(contents(tmp_path)) == ['precious.txt']
    with pytest.raises(ValueError, match='`out` must be a folder, got .*precious.txt'):
        render_street_scenes(tmp_path / 'precious.txt', **SMALL)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(num_train=0), '`num_train` must be between 1 and 1000000, got 0'),
        (dict(num_val=-1), '`num_val` must be between 0 and 1000000, got -1'),
        (dict(num_val=10**6 + 1), '`num_val` must be between 0 and 1000000, got 1000001'),
        (dict(seed=-1), '`seed` must not be negative, got -1'),
        (dict(size=(15, 64)), r'`size` must be \(height, width\), both at least 16, got \(15, 64\)'),
        (dict(size=(64,)), r'`size` must be \(height, width\), both at least 16, got \(64,\)'),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        render_street_scenes(tmp_path / 'new', **SMALL | change)
    assert not (tmp_path / 'new').exists()


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match=r"`split` must be 'train' or 'val', got 'test'"):
        street_scene('test', 0)


def test_progress_counts_scenes(tmp_path, capsys):
    render_street_scenes(tmp_path, **SMALL)
    shown = capsys.readouterr()
    assert shown.out.startswith('5/5 scenes, ') and shown.out.count('\n') == 1 and shown.err == ''
    render_street_scenes(tmp_path, **SMALL)
    assert capsys.readouterr() == ('', '')
