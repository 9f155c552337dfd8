"""Rendered clips: the files of SURREAL, labels that agree with one another, and folders in every state."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from renderers import folder
from renderers.surreal_clips import render_surreal_clips, surreal_clip
from renderers.surreal_clips.capsules import draw_capsules
from renderers.surreal_clips.figure import make_figure
from renderers.surreal_clips.files import encode_clip
from scipy.io import loadmat
from scipy.spatial.transform import Rotation

from mmfct.datasets.smpl_skeleton import JOINTS, PARENTS, PART_OF_LABEL, PARTS, pose_joints
from mmfct.datasets.surreal_camera import project, to_camera, to_world

SMALL = dict(num_train=4, num_val=1, num_test=2, frames=3, seed=5)
STEM = 'cmu/train/run0/01_01/01_01_c0002'


@pytest.fixture(scope='module')
def clips() -> list:
    return [surreal_clip('train', index, frames=2) for index in range(12)]


def contents(folder: Path) -> dict[str, bytes]:
    """Path -> content of every file below a folder but for the index, which reading makes."""
    indices = {f'surreal_{split}.json' for split in ('train', 'val', 'test')}
    files = (path for path in folder.rglob('*') if path.is_file() and path.name not in indices)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_files_are_those_of_surreal(surreal_root):
    info = loadmat(f'{surreal_root}/{STEM}_info.mat')
    found = {name: (value.shape, value.dtype.name) for name, value in info.items() if name[0] != '_'}
    texts = {name: found.pop(name)[0] for name in ('sequence', 'source')}
    assert texts == dict(sequence=(1,), source=(1,)) and info['sequence'][0] == '01_01_c0002'
    assert found == dict(
        bg=((1, 3), 'object'),
        camDist=((1, 1), 'float32'),
        camLoc=((3, 1), 'float32'),
        clipNo=((1, 1), 'float64'),
        cloth=((1, 3), 'object'),
        gender=((3, 1), 'uint8'),
        joints2D=((2, 24, 3), 'float32'),
        joints3D=((3, 24, 3), 'float32'),
        light=((9, 3), 'float32'),
        pose=((72, 3), 'float32'),
        shape=((10, 3), 'float32'),
        stride=((1, 1), 'uint8'),
        zrot=((3, 1), 'float32'),
    )
    for kind, dtype in dict(depth=np.float32, segm=np.uint8).items():
        maps = {name: value for name, value in loadmat(f'{surreal_root}/{STEM}_{kind}.mat').items() if name[0] != '_'}
        assert sorted(maps) == [f'{kind}_{frame}' for frame in (1, 2, 3)]
        assert all((value.shape, value.dtype) == ((240, 320), dtype) for value in maps.values())
    video = cv2.VideoCapture(f'{surreal_root}/{STEM}.mp4')
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 3


def test_files_hold_what_was_rendered(surreal_root):
    clip, info = surreal_clip('train', 1, frames=3, seed=5), loadmat(f'{surreal_root}/{STEM}_info.mat')
    np.testing.assert_allclose(info['joints2D'][:, 7, 2], clip.joints2d[2, 7], rtol=1e-6)
    np.testing.assert_allclose(info['joints3D'][:, 7, 2], clip.joints3d[2, 7], rtol=1e-6)
    np.testing.assert_allclose(info['pose'][:, 1], clip.pose[1], rtol=1e-6)
    assert info['gender'].ravel().tolist() == [clip.gender == 'male'] * 3
    depth = loadmat(f'{surreal_root}/{STEM}_depth.mat')['depth_3']
    assert np.array_equal(depth, clip.depth[2]) and depth[0, 0] == np.float32(1e10)
    video = cv2.VideoCapture(f'{surreal_root}/{STEM}.mp4')
    for image in clip.images:
        assert np.abs(video.read()[1][..., ::-1].astype(float) - image).mean() < 8  # a lossy codec, noise in the image


def test_the_middle_of_a_limb_shows_its_part(clips):
    hits = []
    for clip in clips:
        for segm, joints in zip(clip.segm, clip.joints2d, strict=True):
            columns, rows = np.rint(joints).astype(int).T
            assert (segm[rows[[0, 3, 6, 9]], columns[[0, 3, 6, 9]]] > 0).all()  # the trunk is never outside
            middle = (joints[[4, 5, 18, 19]] + joints[[7, 8, 20, 21]]) / 2
            columns, rows = np.rint(middle).astype(int).T
            hits.append(segm[rows, columns] == np.array([4, 5, 18, 19]) + 1)
    assert np.mean(hits) > 0.8  # something may be in front of it


def test_the_surface_is_a_little_nearer_than_the_pelvis(clips):
    for clip in clips:
        for depth, joints, world in zip(clip.depth, clip.joints2d, clip.joints3d, strict=True):
            column, row = np.rint(joints[0]).astype(int)
            assert 0.05 < to_camera(world[0], clip.camera)[2] - depth[row, column] < 0.6


def test_depth_and_parts_agree(clips):
    for clip in clips:
        person = clip.segm > 0
        assert np.array_equal(person, clip.depth < 1e9)
        assert 0.005 < person.mean() < 0.3
        distance = to_camera(clip.joints3d, clip.camera)[..., 2]
        for depth, mask, joints in zip(clip.depth, person, distance, strict=True):
            assert joints.min() - 0.3 < depth[mask].min() <= depth[mask].max() < joints.max() + 0.3
    seen = np.unique(np.concatenate([np.unique(clip.segm) for clip in clips]))
    assert len(seen) == 25  # every part is seen somewhere


def test_pose_and_shape_give_the_joints(clips):
    for clip in clips:
        figure = make_figure(clip.shape, clip.gender)
        turns = Rotation.from_rotvec(clip.pose[1].reshape(24, 3)).as_matrix()
        turns[0] = to_world(clip.zrot[1]) @ turns[0]
        joints, _ = pose_joints(figure.joints, turns)
        np.testing.assert_allclose(joints + clip.joints3d[1, 0], clip.joints3d[1], atol=1e-12)
        assert np.linalg.norm(clip.joints3d[1, 15] - clip.joints3d[1, 0]) == pytest.approx(0.6, abs=0.2)
        head, feet = clip.joints3d[1, 15, 1], clip.joints3d[1, [7, 8], 1]
        assert (head < feet - 0.8).all()  # down is +y


def test_forward_kinematics_by_hand():
    rest = np.zeros((24, 3))
    for joint, parent in enumerate(PARENTS[1:], 1):
        rest[joint] = rest[parent] + (0, 1, 0)
    turns = np.tile(np.eye(3), (24, 1, 1))
    turns[1] = Rotation.from_rotvec((0, 0, np.pi / 2)).as_matrix()  # the left hip: +y becomes -x
    joints, turned = pose_joints(rest, turns)
    np.testing.assert_allclose(joints[[1, 4, 7, 2, 5]], [(0, 1, 0), (-1, 1, 0), (-2, 1, 0), (0, 1, 0), (0, 2, 0)])
    np.testing.assert_allclose(turned[10], turns[1])
    assert np.array_equal(rest[4], (0, 2, 0))  # the argument is left alone


def test_camera_is_that_of_surreal():
    location = np.array([7.0, -1.0, 0.5])
    assert project(np.array([0.0, -1.0, 0.5]), location).tolist() == [160, 120]
    np.testing.assert_allclose(project(np.array([1.0, 0.0, 0.0]), location), (160 + 600 * 0.5 / 6, 120 + 600 / 6))
    # Upright motion capture, z up, turned by a right angle, looks at the camera, and up is -y.
    upright = to_world(np.pi / 2) @ Rotation.from_rotvec((np.pi / 2, 0, 0)).as_matrix()
    np.testing.assert_allclose(upright @ np.eye(3)[2], (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(upright @ np.eye(3)[1], (0, -1, 0), atol=1e-12)


def test_capsules_by_closed_forms():
    # A sphere, and a capsule across the view.
    depth, owner, normal = draw_capsules(
        np.array([[0.0, 0, 4], [-1, 0.5, 5]]), np.array([[0.0, 0, 4], [1, 0.5, 5]]), np.array([0.3, 0.1])
    )
    assert depth[120, 160] == pytest.approx(3.7) and owner[120, 160] == 0
    np.testing.assert_allclose(normal[120, 160], (0, 0, -1), atol=1e-9)
    row = 120 + round(600 * 0.5 / 5)
    slope = (row - 120) / 600
    # The ray (0, slope, 1) z meets the circle (y - 0.5)^2 + (z - 5)^2 = 0.01.
    roots = np.roots([slope**2 + 1, -2 * (0.5 * slope + 5), 0.25 + 25 - 0.01])
    assert owner[row, 160] == 1 and depth[row, 160] == pytest.approx(roots.min())
    assert owner[0, 0] == -1 and np.isinf(depth[0, 0]) and not normal[0, 0].any()
    found = normal[owner >= 0]
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, rtol=1e-6)


def test_labels_of_surreal_become_14_parts():
    assert len(PART_OF_LABEL) == 25 and set(PART_OF_LABEL.tolist()) == set(range(15))
    moved = dict(zip(JOINTS, np.array(PARTS)[PART_OF_LABEL[1:]], strict=True))
    assert moved['head'] == 'head' and moved['pelvis'] == moved['neck'] == moved['left_collar'] == 'torso'
    assert moved['left_elbow'] == 'left_forearm' and moved['right_hip'] == 'right_thigh'
    assert moved['right_hand'] == moved['right_wrist'] == 'right_hand' and moved['left_ankle'] == 'left_foot'


def test_a_clip_depends_on_seed_split_index_and_length_only(surreal_root, tmp_path):
    render_surreal_clips(tmp_path, **SMALL | dict(num_train=2, num_val=0, num_test=1))
    ours, theirs = contents(tmp_path), contents(Path(surreal_root))
    shared = set(ours) - {'surreal_clips.json'}
    assert len(shared) == 3 * 4 + 2
    assert all(ours[name] == theirs[name] for name in shared)
    variants = [('train', 0, 5), ('train', 1, 5), ('test', 0, 5), ('train', 0, 6)]
    assert len({surreal_clip(split, i, frames=1, seed=seed).pose.tobytes() for split, i, seed in variants}) == 4


def test_an_interrupted_folder_is_completed_and_a_complete_one_left_alone(surreal_root, tmp_path, monkeypatch):
    write, calls = folder.write_files, []

    def write_some(files, payloads):
        calls.append(files)
        if len(calls) == 3:
            half = dict(list(payloads.items())[:2])
            write({kind: files[kind] for kind in half}, half)
            raise KeyboardInterrupt
        write(files, payloads)

    monkeypatch.setattr(folder, 'write_files', write_some)
    with pytest.raises(KeyboardInterrupt):
        render_surreal_clips(tmp_path, **SMALL)
    assert not (tmp_path / 'surreal_clips.json').exists()
    with pytest.raises(ValueError, match=r'`out` holds clips with seed=5, got seed=6'):
        render_surreal_clips(tmp_path, **SMALL | dict(seed=6))
    monkeypatch.undo()
    assert render_surreal_clips(tmp_path, **SMALL) == 5
    assert contents(tmp_path) == contents(Path(surreal_root))
    assert render_surreal_clips(tmp_path, **SMALL) == 0


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(num_train=0), '`num_train` must be between 1 and 100000, got 0'),
        (dict(num_val=-1), '`num_val` must be between 0 and 100000, got -1'),
        (dict(num_test=10**6), '`num_test` must be between 0 and 100000, got 1000000'),
        (dict(frames=0), '`frames` must be between 1 and 100000, got 0'),
        (dict(seed=-1), '`seed` must not be negative, got -1'),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        render_surreal_clips(tmp_path / 'new', **SMALL | change)
    assert not (tmp_path / 'new').exists()


def test_other_folders_and_splits_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`split` must be one of .*, got 'all'"):
        surreal_clip('all', 0)
    (tmp_path / 'precious.txt').touch()
    with pytest.raises(ValueError, match=r'`out` must be a new or empty folder, or one with surreal_clips.json'):
        render_surreal_clips(tmp_path, **SMALL)


def test_a_codec_that_is_missing_is_named(monkeypatch):
    class Closed:
        fourcc = cv2.VideoWriter.fourcc

        def __init__(self, *_):
            pass

        def isOpened(self) -> bool:  # noqa: N802 - a name of OpenCV
            return False

    monkeypatch.setattr(cv2, 'VideoWriter', Closed)
    with pytest.raises(RuntimeError, match='OpenCV cannot write mp4 files'):
        encode_clip(surreal_clip('train', 0, frames=1), 'train', 0)


def test_progress_counts_clips(tmp_path, capsys):
    small = dict(num_train=1, num_val=0, num_test=0, frames=1)
    render_surreal_clips(tmp_path, **small)
    shown = capsys.readouterr()
    assert shown.out.startswith('1/1 clips, ') and shown.out.count('\n') == 1 and shown.err == ''
    render_surreal_clips(tmp_path, **small)
    assert capsys.readouterr() == ('', '')
