"""A frame of SURREAL as the network gets it: cropped to the person, its labels in the same place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from renderers.surreal_clips import surreal_clip
from scipy.spatial.transform import Rotation

from mmfct.datasets.smpl_skeleton import PART_OF_LABEL, pose_joints
from mmfct.datasets.surreal import Surreal
from mmfct.datasets.surreal_files import read_frame, read_map, read_mat
from mmfct.datasets.transforms.load_surreal import LoadSurreal
from mmfct.datasets.transforms.pack_pose_inputs import PackPoseInputs
from mmfct.datasets.transforms.person_crop import crop, crop_map, person_box


@pytest.fixture
def load(surreal_root):
    """Function that loads a training frame."""
    dataset = Surreal(surreal_root, test_mode=True)
    return lambda index, **options: LoadSurreal(**options)(dataset.get_data_info(index))


@pytest.fixture(scope='module')
def clip():
    return surreal_clip('train', 1, frames=3, seed=5)


def test_crop_holds_the_whole_person(load, clip):
    for frame in range(3):
        found = load(3 + frame, size=(128, 96))
        assert found['img'].shape == (128, 96, 3) and found['img_shape'] == found['ori_shape'] == (128, 96)
        parts, depth = found['gt_seg_map'], found['gt_depth_map']
        assert parts.shape == depth.shape == (128, 96) and found['seg_fields'] == ['gt_depth_map', 'gt_seg_map']
        assert set(np.unique(parts)) <= set(np.unique(PART_OF_LABEL[clip.segm[frame]])) and (parts == 1).any()
        assert np.array_equal(parts > 0, np.isfinite(depth))
        border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
        assert not border.any()


def test_labels_lie_over_the_image(load, clip):
    # At the size of the crop itself nothing is resampled.
    row, column, side = person_box(clip.joints2d[2].astype(np.float32), 1.3)
    found = load(5, size=(side, side), margin=1.3)
    assert row >= 0 and row + side <= 240
    window = np.s_[row : row + side, column : column + side]
    assert np.array_equal(found['gt_seg_map'], PART_OF_LABEL[clip.segm[2][window]])
    assert np.abs(found['img'][..., ::-1] - clip.images[2][window].astype(float)).mean() < 8
    person = clip.segm[2][window] > 0
    expected = clip.depth[2][window] - (clip.camera[0] - clip.joints3d[2, 0, 0])
    np.testing.assert_allclose(found['gt_depth_map'][person], expected[person], atol=1e-5)
    assert -1.2 < np.nanmin(found['gt_depth_map']) < 0 < np.nanmax(found['gt_depth_map']) < 1.2


def test_pose_is_that_of_the_world(load, clip):
    pose = load(5)['gt_pose']
    assert pose['rotations'].shape == (24, 3, 3) and pose['rotations'].dtype == np.float32
    np.testing.assert_allclose(pose['rotations'][4], Rotation.from_rotvec(clip.pose[2, 12:15]).as_matrix(), atol=1e-6)
    np.testing.assert_allclose(pose['joints'], clip.joints3d[2] - clip.joints3d[2, 0], atol=1e-6)
    np.testing.assert_allclose(pose['shape'], clip.shape, atol=1e-6)
    assert pose['gender'] == (clip.gender == 'male')
    # The rotations turn a skeleton at rest into the joints.
    from renderers.surreal_clips.figure import make_figure

    joints, _ = pose_joints(make_figure(clip.shape, clip.gender).joints, pose['rotations'].astype(float))
    np.testing.assert_allclose(joints, pose['joints'], atol=1e-5)


def test_default_size_is_that_of_surreal(load):
    assert load(0)['img'].shape == (256, 256, 3)


def test_a_task_without_a_path_is_not_annotated(surreal_root):
    info = Surreal(surreal_root, test_mode=True).get_data_info(0)
    info |= dict(depth_map_path=None, seg_map_path=None, pose_path=None)
    found = LoadSurreal((8, 8))(info)
    assert np.isnan(found['gt_depth_map']).all() and (found['gt_seg_map'] == 255).all() and found['gt_pose'] is None
    assert 'gt_pose' not in PackPoseInputs()(found)['data_samples']


def test_cached_frames_are_not_read_again(load, surreal_root, monkeypatch):
    transform, info = LoadSurreal((16, 16), cache=True), Surreal(surreal_root).get_data_info(2)
    first = transform(dict(info, sample_idx=7))
    monkeypatch.setattr('mmfct.datasets.transforms.load_surreal.read_frame', lambda *_: 1 / 0)
    first['seg_fields'].append('more')
    second = transform(dict(info, sample_idx=8))
    assert second['img'] is first['img'] and second['sample_idx'] == 8
    assert second['seg_fields'] == ['gt_depth_map', 'gt_seg_map']
    with pytest.raises(ZeroDivisionError):
        transform(dict(info, img_path=info['img_path'][:-1] + '2'))


def test_packed_samples_have_everything(load):
    packed = PackPoseInputs()(load(1, size=(16, 24)) | dict(sample_idx=1))
    sample = packed['data_samples']
    assert packed['inputs'].shape == (3, 16, 24) and packed['inputs'].dtype == torch.uint8
    assert sample.img_path.endswith('c0001.mp4#2') and sample.sample_idx == 1
    assert sample.gt_depth_map.data.shape == sample.gt_sem_seg.data.shape == (1, 16, 24)
    assert sample.gt_pose.rotations.shape == (24, 3, 3) and sample.gt_pose.gender.dtype == torch.int64


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(size=(0, 8)), r'`size` must be \(height, width\), both at least 1, got \(0, 8\)'),
        (dict(size=(8,)), r'`size` must be'),
        (dict(margin=0), '`margin` must be above 0, got 0'),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LoadSurreal(**options)


def test_labels_out_of_range_are_refused(load, monkeypatch):
    monkeypatch.setattr(
        'mmfct.datasets.transforms.load_surreal.read_map',
        lambda path, kind, frame: np.full((240, 320), 25 if kind == 'segm' else 5),
    )
    with pytest.raises(ValueError, match='_segm.mat must hold labels from 0 to 24, got 25'):
        load(0)


def test_a_flipped_image_with_a_pose_is_refused(load):
    results = load(0, size=(32, 32))
    with pytest.raises(ValueError, match='a pose must not be flipped with its image: leave RandomFlip out'):
        PackPoseInputs()(dict(results, flip=True, flip_direction='horizontal'))
    PackPoseInputs()(dict(results, flip=True, flip_direction='horizontal', gt_pose=None))


def test_a_joint_close_to_the_camera_makes_no_giant_of_the_crop(surreal_root, monkeypatch):
    from mmfct.datasets.transforms import load_surreal

    real, sides = load_surreal.read_info, []

    def close(path):
        info = real(path)
        joints = info.joints2d.copy()
        joints[:, 20] = (4e5, -3e5)  # a hand that almost touches the lens
        return info._replace(joints2d=joints)

    monkeypatch.setattr(load_surreal, 'read_info', close)
    monkeypatch.setattr(load_surreal, 'crop_image', lambda image, box, size: sides.append(box[2]) or image)
    monkeypatch.setattr(load_surreal, 'crop_map', lambda values, box, size, fill: values)
    LoadSurreal()(Surreal(surreal_root, test_mode=True).get_data_info(0))
    assert 320 < sides[0] <= 1.4 * 3 * 320


def test_files_that_are_not_there_or_something_else(tmp_path):
    for read in (lambda: read_frame(f'{tmp_path}/a.mp4', 1), lambda: read_map(f'{tmp_path}/a.mat', 'segm', 1)):
        with pytest.raises(FileNotFoundError, match='does not exist'):
            read()
    path = tmp_path / 'b.mat'
    path.write_bytes(b'MATLAB 7.3 MAT-file'.ljust(124) + b'\0\2IM' + bytes(100))
    with pytest.raises(ValueError, match='b.mat is not a whole MATLAB file'):
        read_mat(path, ('x',))


def test_frames_of_another_size_are_refused(tmp_path):
    import cv2

    path = str(tmp_path / 'small.mp4')
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'mp4v'), 30, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    with pytest.raises(ValueError, match=r'frames of shape \(240, 320, 3\), got \(48, 64, 3\)'):
        read_frame(path, 1)


@pytest.mark.parametrize('box', [(-2, 1, 5), (3, -4, 6), (0, 0, 4), (-9, 2, 4), (20, 20, 3), (-1, -1, 12)])
def test_crops_match_a_plain_loop(box):
    values = np.arange(7 * 9).reshape(7, 9)
    row, column, side = box
    expected = np.full((side, side), -1)
    for i in range(side):
        for j in range(side):
            if 0 <= row + i < 7 and 0 <= column + j < 9:
                expected[i, j] = values[row + i, column + j]
    assert np.array_equal(crop(values, box, -1), expected)
    half = crop_map(values, box, (side, 2 * side), -1)
    assert np.array_equal(half, np.repeat(expected, 2, axis=1))


def test_box_is_a_square_around_the_joints():
    joints = np.array([[10.0, 20.0], [30.0, 60.0], [22.0, 30.0]])
    row, column, side = person_box(joints, 1.25)
    assert side == 50
    assert (row + side / 2, column + side / 2) == (40, 20)
    assert person_box(np.array([[3.0, 4.0]]), 1.25)[2] == 2


@pytest.mark.parametrize('cache', [False, True])
def test_wrong_maps_of_other_kinds_than_permuted(surreal_root, cache):
    from mmfct.datasets.corrupt_labels import CorruptLabels

    transform = LoadSurreal((32, 32), cache=cache)
    clean = Surreal(surreal_root, pipeline=[transform])
    kinds = dict(depth='mirrored', parts='half')
    wrong = CorruptLabels(clean, dict(depth=0.5, parts=0.5), kinds=kinds)
    right = [clean[i] for i in range(len(clean))]
    for i in range(len(clean)):
        depth, parts = right[i]['gt_depth_map'], right[i]['gt_seg_map']
        found = wrong[i]
        expected = depth[:, ::-1] if wrong.corrupted['depth'][i] else depth
        assert np.array_equal(found['gt_depth_map'], expected, equal_nan=True)
        assert np.array_equal(found['gt_seg_map'][:, :16], parts[:, :16])
        donors = [other['gt_seg_map'][:, 16:] for j, other in enumerate(right) if j != i]
        half = any(np.array_equal(found['gt_seg_map'][:, 16:], donor) for donor in donors)
        assert half if wrong.corrupted['parts'][i] else np.array_equal(found['gt_seg_map'], parts)
    assert wrong.corrupted['depth'].any() and wrong.corrupted['parts'].any()
