"""The body model: what it makes of poses, and files that are no body model."""

from __future__ import annotations

import builtins
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from renderers.surreal_clips.mesh import body_arrays
from scipy.spatial.transform import Rotation

from mmfct.datasets.smpl_skeleton import pose_joints
from mmfct.datasets.surreal import Surreal
from mmfct.models import SmplBody


@pytest.fixture(scope='module')
def files(surreal_root) -> dict[str, str]:
    return {gender: f'{surreal_root}/smpl/SMPL_{gender.upper()}.npz' for gender in ('female', 'male')}


@pytest.fixture
def write(tmp_path):
    """Function that writes a body model with other arrays, and returns its path."""

    def save(name: str = 'body.npz', **arrays) -> str:
        found = {key: value for key, value in (body_arrays('male') | arrays).items() if value is not None}
        np.savez(tmp_path / name, **found)
        return str(tmp_path / name)

    return save


@pytest.mark.usefixtures('smplx')
def test_it_gives_the_joints_of_the_clips(files, surreal_root):
    dataset = Surreal(surreal_root, test_mode=True, pipeline=[dict(type='mmfct.LoadSurreal', size=(8, 8))])
    poses = [dataset[i]['gt_pose'] for i in range(0, 12, 3)]
    body = SmplBody(files)
    rotations, shape = (torch.from_numpy(np.stack([pose[name] for pose in poses])) for name in ('rotations', 'shape'))
    vertices, joints = body(rotations, shape, torch.tensor([pose['gender'] for pose in poses]))
    assert len({pose['gender'] for pose in poses}) == 2 and vertices.shape == (4, 1488, 3)
    for found, pose in zip(joints - joints[:, :1], poses, strict=True):
        np.testing.assert_allclose(found.numpy(), pose['joints'], atol=1e-5)


@pytest.mark.usefixtures('smplx')
def test_vertices_match_a_plain_loop(files):
    arrays, shape = body_arrays('female'), np.random.default_rng(0).normal(size=10)
    turns = Rotation.random(24, rng=0).as_matrix()
    rest = arrays['v_template'] + arrays['shapedirs'] @ shape
    joints = arrays['J_regressor'] @ rest
    posed, turned = pose_joints(joints, turns)
    owner = arrays['weights'].argmax(1)
    expected = [turned[j] @ (v - joints[j]) + posed[j] for v, j in zip(rest, owner, strict=True)]
    vertices, _ = SmplBody(dict(female=files['female']))(
        torch.from_numpy(turns).float()[None], torch.from_numpy(shape).float()[None], torch.tensor([0])
    )
    np.testing.assert_allclose(vertices[0].numpy(), expected, atol=1e-5)


@pytest.mark.usefixtures('smplx')
def test_poses_that_deform_the_surface(write):
    directions = np.random.default_rng(0).normal(size=(1488, 3, 207)) * 0.01
    arrays, turns = body_arrays('male'), Rotation.random(24, rng=0).as_matrix()
    turns[1:] = np.eye(3)
    turns[5] = Rotation.from_rotvec((0.5, 0, 0)).as_matrix()  # the only one that deforms
    body = SmplBody(dict(male=write(posedirs=directions)))
    vertices, joints = body(torch.from_numpy(turns).float()[None], torch.zeros(1, 10), torch.tensor([1]))
    feature = (turns[1:] - np.eye(3)).ravel()
    rest = arrays['v_template'] + directions @ feature
    of_trunk = arrays['weights'].argmax(1) == 0
    pelvis = (arrays['J_regressor'] @ arrays['v_template'])[0]
    expected = (rest[of_trunk] - pelvis) @ turns[0].T + pelvis
    np.testing.assert_allclose(vertices[0, of_trunk].numpy(), expected, atol=1e-5)


def test_the_mesh_is_a_surface(files):
    arrays = body_arrays('male')
    vertices, faces = arrays['v_template'], arrays['f'].astype(int)
    assert faces.min() >= 24 * 6 and faces.max() == len(vertices) - 1
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    assert (area > 0).all() and 1 < area.sum() < 4  # square metres
    assert arrays['kintree_table'].dtype == np.uint32 and arrays['kintree_table'][0, 0] == 2**32 - 1


@pytest.mark.usefixtures('smplx')
def test_more_shapes_than_used_are_cut(write):
    wide = np.concatenate([body_arrays('male')['shapedirs'], np.ones((1488, 3, 290))], axis=2)
    body = SmplBody(dict(male=write(shapedirs=wide)))
    assert body.male_shapedirs.shape == (1488, 3, 10) and not body.state_dict()


@pytest.mark.parametrize(
    ('name', 'arrays', 'message'),
    [
        (
            'SMPL_MALE.npz',
            dict(gender=None, weights=None),
            r"must be a body model of SMPL .*, got none of \['weights'\]",
        ),
        ('SMPL_FEMALE.npz', dict(gender=None), r"the male body model for 'male', got that of 'female'"),
        ('SMPL_NEUTRAL.npz', dict(gender=None), r"the male body model for 'male', got that of 'neutral'"),
        ('a.npz', dict(gender=np.array('female')), r"the male body model for 'male', got that of 'female'"),
        ('a.npz', dict(weights=np.zeros((5, 24))), r"'weights' of shape \('V', 24\), with V = 1488, got \(5, 24\)"),
        ('a.npz', dict(J_regressor=np.zeros((52, 1488))), r"'J_regressor' of shape .*, got \(52, 1488\)"),
        ('a.npz', dict(shapedirs=np.zeros((1488, 3))), r"'shapedirs' of shape .*, got \(1488, 3\)"),
        ('a.npz', dict(shapedirs=np.zeros((1488, 3, 8))), r"10 shapes in 'shapedirs', got 8"),
        ('a.npz', dict(kintree_table=np.zeros((2, 24))), r'the tree of the 24 joints of SMPL, got \[0.0, 0.0'),
        ('a.npz', dict(v_template=np.array([None])), r'a.npz is not a readable .npz file of plain arrays'),
        ('a.npz', dict(v_template=np.array(1.0)), r"'v_template' of shape \('V', 3\), with V = 1, got \(\)"),
        ('a.npz', dict(weights=np.full((1488, 24), 'a')), r"finite numbers, got something else in \['weights'\]"),
        ('a.npz', dict(v_template=np.full((1488, 3), np.nan)), r"got something else in \['v_template'\]"),
    ],
)
def test_files_of_another_format_or_gender_are_refused(write, name, arrays, message):
    with pytest.raises(ValueError, match=message):
        SmplBody(dict(male=write(name, **arrays)))


def test_pickles_are_refused_unopened(tmp_path):
    path = tmp_path / 'SMPL_MALE.pkl'
    path.write_bytes(pickle.dumps(dict(v_template=1)))
    with pytest.raises(ValueError, match=r'must be .npz files: a pickle can run any program .*SMPL_MALE.pkl'):
        SmplBody(dict(male=str(path)))
    (tmp_path / 'male.npz').write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=r'male.npz is not a readable .npz file of plain arrays'):
        SmplBody(dict(male=str(tmp_path / 'male.npz')))


def test_damaged_files_are_refused(files, tmp_path):
    content = Path(files['male']).read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    np.save(tmp_path / 'array.npy', np.zeros(3))
    damaged = [content[: len(content) // 2], bytes(flipped), (tmp_path / 'array.npy').read_bytes(), b'']
    for bytes_ in damaged:
        (tmp_path / 'male.npz').write_bytes(bytes_)
        with pytest.raises(ValueError, match='male.npz is not a readable .npz file of plain arrays .*how to convert'):
            SmplBody(dict(male=str(tmp_path / 'male.npz')))


def test_missing_files_and_genders(files, tmp_path):
    with pytest.raises(FileNotFoundError, match='the female body model .*nowhere.npz does not exist'):
        SmplBody(dict(female=str(tmp_path / 'nowhere.npz')))
    for wrong in ({}, dict(neutral=files['male'])):
        with pytest.raises(ValueError, match=r"`files` must be a file by gender, of \('female', 'male'\), got"):
            SmplBody(wrong)


@pytest.mark.usefixtures('smplx')
def test_a_gender_without_a_file(files):
    body = SmplBody(dict(male=files['male']))
    with pytest.raises(ValueError, match="a body model for every gender in the data, got none for 'female'"):
        body(torch.eye(3).expand(1, 24, 3, 3), torch.zeros(1, 10), torch.tensor([0]))


def test_without_smplx_the_message_says_how_to_get_it(files, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args):
        if name.startswith('smplx'):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, '__import__', refuse)
    with pytest.raises(ImportError, match=r"needs smplx; install it with `pip install 'mmfct\[smpl\]'`"):
        SmplBody(files)
    assert Path(files['male']).exists()
