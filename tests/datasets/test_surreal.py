"""SURREAL: which frames there are, what is skipped and why, and the index."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from renderers.surreal_clips import surreal_clip
from scipy.io import loadmat, savemat

from mmfct.datasets.clean_instances import CleanInstances
from mmfct.datasets.corrupt_labels import CorruptLabels
from mmfct.datasets.surreal import Surreal
from mmfct.datasets.surreal_check import check_clip
from mmfct.instances.keys import InstanceKeys

RUN = 'cmu/train/run0/01_01'


@pytest.fixture
def root(surreal_root, tmp_path) -> Path:
    """A copy of the clips to break."""
    folder = tmp_path / 'copy'
    shutil.copytree(surreal_root, folder, ignore=shutil.ignore_patterns('surreal_train.json'))
    return folder


def change(path: Path, **values) -> None:
    """Replace variables of a MATLAB file, or remove those that are None."""
    found = {name: value for name, value in loadmat(path).items() if name[0] != '_'} | values
    savemat(path, {name: value for name, value in found.items() if value is not None}, do_compression=True)


def test_every_frame_is_an_item(surreal_root):
    dataset = Surreal(surreal_root)
    assert len(dataset) == 12
    info = dataset.get_data_info(4)
    stem = f'{surreal_root}/{RUN}/01_01_c0002'
    assert info['img_path'] == f'{stem}.mp4#2' and info['pose_path'] == f'{stem}_info.mat#2'
    assert info['depth_map_path'] == f'{stem}_depth.mat#2' and info['seg_map_path'] == f'{stem}_segm.mat#2'
    assert info['gender'] == surreal_clip('train', 1, frames=1, seed=5).gender
    assert len(dataset.metainfo['classes']) == len(dataset.metainfo['palette']) == 15
    keys = InstanceKeys.of(dataset)
    assert len(keys) == 12 and keys.keys[4] == '01_01_c0002.mp4#2'


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (dict(split='val'), ['1#1', '1#2', '1#3']),
        (dict(split='test', frames='middle'), ['1#2', '2#2']),
        (dict(frame_step=2, indices=3), ['1#1', '1#3', '2#1']),
        (dict(runs=(0,), exclude=('1_01', '02'), frame_step=3), ['1#1', '2#1', '3#1', '4#1']),
    ],
)
def test_choice_of_frames(surreal_root, options, expected):
    dataset = Surreal(surreal_root, **options)
    found = [Path(dataset.get_data_info(i)['img_path']).name for i in range(len(dataset))]
    assert [name[10:].replace('.mp4', '') for name in found] == expected


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(frames='first'), r"`frames` must be one of \('all', 'middle'\), got 'first'"),
        (dict(frame_step=0), '`frame_step` must be at least 1, got 0'),
        (dict(runs=(1,)), r'`runs` and `exclude` must leave a frame with a person .*, got \(1,\) and \(\)'),
        (dict(exclude=('02_', '01_')), r"must leave a frame with a person .*, got None and \('02_', '01_'\)"),
        (dict(exclude='01_'), "`exclude` must be a sequence of names, got '01_'"),
    ],
)
def test_options_out_of_range_are_refused(surreal_root, options, message):
    with pytest.raises(ValueError, match=message):
        Surreal(surreal_root, **options)


def test_a_folder_without_clips_is_refused(surreal_root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'`data_root` must hold cmu/night/.*render_surreal_clips.py'):
        Surreal(surreal_root, split='night')
    with pytest.raises(FileNotFoundError, match="there is no clip of the split 'train'"):
        Surreal(str(tmp_path))


BREAKS = {
    'no depth': (lambda stem: Path(f'{stem}_depth.mat').unlink(), r'c0002_depth.mat does not exist'),
    'no parts': (lambda stem: Path(f'{stem}_segm.mat').unlink(), r'c0002_segm.mat does not exist'),
    'no info': (lambda stem: Path(f'{stem}_info.mat').unlink(), r'c0002_info.mat does not exist'),
    'no video': (lambda stem: Path(f'{stem}.mp4').unlink(), r'c0002.mp4 does not exist'),
    'fewer depths': (
        lambda stem: change(Path(f'{stem}_depth.mat'), depth_3=None),
        r'c0002_depth.mat has 2 frames, .*_info.mat 3',
    ),
    'a gap': (lambda stem: change(Path(f'{stem}_segm.mat'), segm_2=None), r'frames without a gap, got no segm_2'),
    'unequal poses': (
        lambda stem: change(Path(f'{stem}_info.mat'), pose=np.zeros((72, 2), np.float32)),
        r"'pose' of shape \(72, 3\), for as many frames as `zrot` has, got \(72, 2\)",
    ),
    'fewer frames': (
        lambda stem: shutil.copy(stem.parents[3] / 'short.mp4', f'{stem}.mp4'),
        r'c0002.mp4 has 1 frames, .*_info.mat 3',
    ),
    'truncated video': (
        lambda stem: Path(f'{stem}.mp4').write_bytes(Path(f'{stem}.mp4').read_bytes()[:2000]),
        r'c0002.mp4 is no readable video',
    ),
    'video without its end': (lambda stem: cut_frames(Path(f'{stem}.mp4')), r'ends before frame 3'),
    'no MATLAB file': (
        lambda stem: Path(f'{stem}_segm.mat').write_bytes(b'hello' * 100),
        r'_segm.mat is not a whole MATLAB file',
    ),
    'truncated info': (
        lambda stem: Path(f'{stem}_info.mat').write_bytes(Path(f'{stem}_info.mat').read_bytes()[:-500]),
        r'_info.mat is not a whole MATLAB file',
    ),
    'no camera': (
        lambda stem: change(Path(f'{stem}_info.mat'), camLoc=None),
        r"must have the variables .*, got none named \['camLoc'\]",
    ),
    'half a camera': (
        lambda stem: change(Path(f'{stem}_info.mat'), camLoc=np.zeros((2, 1))),
        r"'camLoc' of shape \(3, 1\), got \(2, 1\)",
    ),
    'another gender': (
        lambda stem: change(Path(f'{stem}_info.mat'), gender=np.full((3, 1), 2)),
        r"'gender' 0 or 1, got \[2\]",
    ),
    'two genders': (
        lambda stem: change(Path(f'{stem}_info.mat'), gender=np.array([[0], [1], [1]])),
        r'one gender in all frames, got \[0, 1\]',
    ),
    'a joint that is no number': (
        lambda stem: change(Path(f'{stem}_info.mat'), joints3D=np.full((3, 24, 3), np.nan)),
        r"must hold finite numbers, got something else in \['joints3D'\]",
    ),
}


def cut_frames(path: Path) -> None:
    """Overwrite the frames of a video, and leave its table of contents, which follows them."""
    content = bytearray(path.read_bytes())
    start, end = content.index(b'mdat') + 4, content.index(b'moov')
    content[start + (end - start) // 3 : end - 8] = bytes(end - 8 - start - (end - start) // 3)
    path.write_bytes(content)


@pytest.mark.parametrize('name', BREAKS)
def test_a_broken_clip_is_skipped_and_counted(root, name):
    spoil, reason = BREAKS[name]
    if name == 'fewer frames':
        from renderers.surreal_clips.files import _mp4

        (root / 'cmu/short.mp4').write_bytes(_mp4(surreal_clip('train', 1, frames=1).images))
    spoil(root / RUN / '01_01_c0002')
    message = rf"1 of 4 clips of the split 'train' are skipped, such as \S+c0002: .*{reason}"
    with pytest.warns(UserWarning, match=message):
        dataset = Surreal(str(root))
    assert len(dataset) == 9
    ((stem, why),) = json.loads((root / 'surreal_train.json').read_text())['skipped']
    assert stem == f'{RUN}/01_01_c0002' and re.search(reason, why)


def test_nothing_whole_is_an_error(root):
    for path in root.glob(f'{RUN}/*_depth.mat'):
        path.unlink()
    with pytest.warns(UserWarning, match='4 of 4 clips'), pytest.raises(ValueError, match='must hold a whole clip'):
        Surreal(str(root))


def test_frames_without_a_person_are_left_out(root):
    path = root / f'{RUN}/01_01_c0001_info.mat'
    joints = loadmat(path)['joints2D']
    joints[0, :, 0] += 400  # beyond the right border
    joints[:, :, 2] = 0  # not computed
    change(path, joints2D=joints)
    dataset = Surreal(str(root))
    assert [dataset.get_data_info(i)['img_path'][-7:] for i in range(2)] == ['1.mp4#2', '2.mp4#1']
    assert json.loads((root / 'surreal_train.json').read_text())['clips'][0][2:] == [[2], 3]
    middle = Surreal(str(root), frames='middle')
    assert middle.get_data_info(0)['img_path'].endswith('1.mp4#2')


@pytest.mark.parametrize(('visible', 'found'), [([1, 2, 3, 4], 2), ([3, 4], None), ([2, 4], 2)])
def test_the_middle_frame_is_that_of_the_whole_clip(root, monkeypatch, visible, found):
    # SURREAL's own evaluation takes frame ceil(T / 2), and leaves the clip out where it shows nobody.
    real = check_clip
    counts = {'01_01_c0001': (visible, 4)}
    monkeypatch.setattr(
        'mmfct.datasets.surreal_index.check_clip',
        lambda stem: (real(stem)[0], *counts[Path(stem).name]) if Path(stem).name in counts else real(stem),
    )
    dataset = Surreal(str(root), frames='middle')
    names = [Path(dataset.get_data_info(i)['img_path']).name for i in range(len(dataset))]
    assert [name for name in names if 'c0001' in name] == ([f'01_01_c0001.mp4#{found}'] if found else [])


def test_an_interrupted_look_goes_on(root, monkeypatch):
    looked = []

    def look(stem):
        if len(looked) == 2:
            raise KeyboardInterrupt
        looked.append(stem)
        return check_clip(stem)

    monkeypatch.setattr('mmfct.datasets.surreal_index.check_clip', look)
    with pytest.raises(KeyboardInterrupt):
        Surreal(str(root))
    monkeypatch.setattr(
        'mmfct.datasets.surreal_index.check_clip', lambda stem: looked.append(stem) or check_clip(stem)
    )
    assert len(Surreal(str(root))) == 12
    assert len(looked) == len(set(looked)) == 4


def test_what_was_found_is_saved_on_the_way(root, monkeypatch):
    monkeypatch.setattr('mmfct.datasets.surreal_index._SAVE_EVERY', 0.0)
    saved = []

    def look(stem):
        saved.append(len(json.loads((root / 'surreal_train.json').read_text())['clips']))
        return check_clip(stem)

    monkeypatch.setattr('mmfct.datasets.surreal_index.check_clip', look)
    Surreal(str(root))
    assert saved == [0, 1, 2, 3]


def test_an_index_that_cannot_be_written_is_noticed_first(root, tmp_path, monkeypatch):
    monkeypatch.setattr('mmfct.datasets.surreal_index.check_clip', lambda stem: pytest.fail('a clip was looked at'))
    (tmp_path / 'file').write_text('')
    with pytest.raises(ValueError, match='`index_file` must be a file that can be written, got .*index.json'):
        Surreal(str(root), index_file=str(tmp_path / 'file/index.json'))


def test_an_index_of_another_split_is_refused(root, tmp_path):
    Surreal(str(root), index_file=str(tmp_path / 'index.json'))
    with pytest.raises(ValueError, match="`index_file` must differ from split to split, got that of 'train'"):
        Surreal(str(root), split='val', index_file=str(tmp_path / 'index.json'))


def test_clips_of_one_frame(root):
    stem = root / RUN / '01_01_c0001'
    from renderers.surreal_clips.files import encode_clip

    clip = surreal_clip('train', 0, frames=1, seed=5)
    for kind, content in encode_clip(clip, 'train', 0).items():
        Path(f'{stem}{dict(video=".mp4").get(kind, f"_{kind}.mat")}').write_bytes(content)
    # MATLAB drops the last axis where it is 1.
    info = loadmat(f'{stem}_info.mat')
    change(Path(f'{stem}_info.mat'), joints2D=info['joints2D'][..., 0], joints3D=info['joints3D'][..., 0])
    dataset = Surreal(str(root), pipeline=[dict(type='mmfct.LoadSurreal', size=(32, 32))])
    assert len(dataset) == 10
    np.testing.assert_allclose(
        dataset[0]['gt_pose']['joints'][5], clip.joints3d[0, 5] - clip.joints3d[0, 0], atol=1e-5
    )


def test_the_index_is_made_once_and_again_when_clips_come_or_go(root, monkeypatch, capsys):
    looked = []
    monkeypatch.setattr(
        'mmfct.datasets.surreal_index.check_clip', lambda stem: looked.append(stem) or check_clip(stem)
    )
    assert len(Surreal(str(root))) == 12 and len(looked) == 4
    assert '4/4' in capsys.readouterr().out
    assert len(Surreal(str(root), frames='middle')) == 4 and len(looked) == 4
    for path in root.glob(f'{RUN}/*c0003*'):
        path.unlink()
    assert len(Surreal(str(root))) == 9 and len(looked) == 7
    (root / 'surreal_train.json').write_bytes(b'{"clips": ')
    with pytest.warns(UserWarning, match='surreal_train.json is not an index and will be replaced'):
        assert len(Surreal(str(root))) == 9
    assert not list(root.glob('*.tmp'))


def test_the_index_may_be_elsewhere(root, tmp_path):
    Surreal(str(root), index_file=str(tmp_path / 'deep/er/index.json'))
    assert (tmp_path / 'deep/er/index.json').exists() and not (root / 'surreal_train.json').exists()


def test_labels_of_tasks_are_permuted_apart_and_clean_frames_kept(surreal_root):
    pipeline = [dict(type='mmfct.LoadSurreal', size=(32, 32))]
    dataset = Surreal(surreal_root, pipeline=pipeline)
    corrupt = CorruptLabels(Surreal(surreal_root, pipeline=pipeline), dict(pose=0.5, depth=0.25, parts=0.0), seed=1)
    wrong = corrupt.corrupted
    assert (wrong['pose'].sum(), wrong['depth'].sum(), wrong['parts'].sum()) == (6, 3, 0)
    for i in range(12):
        own, other = dataset[i], corrupt[i]
        assert np.array_equal(own['img'], other['img']) and np.array_equal(own['gt_seg_map'], other['gt_seg_map'])
        same = np.array_equal(own['gt_pose']['joints'], other['gt_pose']['joints'])
        assert same == (not wrong['pose'][i])
        assert np.array_equal(own['gt_depth_map'], other['gt_depth_map'], equal_nan=True) == (not wrong['depth'][i])
    assert len(CleanInstances(corrupt)) == (~(wrong['pose'] | wrong['depth'])).sum()


def test_a_frame_that_turns_out_to_be_broken_is_replaced_in_training_only(root):
    pipeline = [dict(type='mmfct.LoadSurreal', size=(32, 32))]
    train, test = Surreal(str(root), pipeline=pipeline), Surreal(str(root), pipeline=pipeline, test_mode=True)
    change(root / f'{RUN}/01_01_c0001_depth.mat', depth_2=np.zeros((2, 2)))
    with pytest.warns(UserWarning, match='frame skipped, number 1 in this process: .*depth_2'):
        assert train[1]['img_path'] != test.get_data_info(1)['img_path']
    with pytest.raises(ValueError, match=r"must have 'depth_2' of shape \(240, 320\), got \(2, 2\)"):
        test[1]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert test[0]['img_path'].endswith('c0001.mp4#1')
