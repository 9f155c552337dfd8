"""Wrong annotations of other kinds than permuted ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset

from mmfct.datasets import Digits
from mmfct.datasets.cityscapes_multi_task import CityscapesMultiTask
from mmfct.datasets.corrupt_labels import CorruptLabels
from mmfct.datasets.transforms import LoadDisparity, LoadLabelMap

KINDS = dict(
    seg=['half', 'mirrored', 'shifted', dict(type='shifted', share=0.5), dict(type='swapped', classes=(0, 3))],
    depth=['half', 'mirrored', 'shifted', 'scaled', dict(type='scaled', factor=0.5)],
)


def load_image(results: dict) -> dict:
    """Load an image, as the hosts do."""
    return {**results, 'img': cv2.imread(results['img_path']), 'ori_shape': (16, 32)}


@pytest.fixture
def build(cityscapes_root, npy_root):
    """Function that builds the clean data set and its maps, in one of the two layouts."""

    def make(layout: str) -> CityscapesMultiTask:
        pipeline = [load_image, LoadLabelMap(), LoadDisparity()]
        if layout == 'npy':
            pipeline[0] = lambda results: {**results, 'img': np.load(results['img_path']), 'ori_shape': (16, 32)}
        root = cityscapes_root if layout == 'cityscapes' else npy_root
        return CityscapesMultiTask(root, num_classes=7, layout=layout, pipeline=pipeline)

    return make


def expected_map(kind, task: str, own: np.ndarray, others: list[np.ndarray]) -> list[np.ndarray]:
    """The maps that a kind allows, in plain loops."""
    options = kind if isinstance(kind, dict) else dict(type=kind)
    wrong, width = own.copy(), own.shape[1]
    if options['type'] == 'half':
        middle = width // 2
        pairs = [zip(own, other, strict=True) for other in others]
        return [np.array([[*mine[:middle], *theirs[middle:]] for mine, theirs in pair]) for pair in pairs]
    for y in range(own.shape[0]):
        for x in range(width):
            if options['type'] == 'mirrored':
                wrong[y, x] = own[y, width - 1 - x]
            elif options['type'] == 'shifted':
                wrong[y, (x + int(options.get('share', 0.25) * width)) % width] = own[y, x]
            elif options['type'] == 'scaled':
                wrong[y, x] = own[y, x] * options.get('factor', 2)
            else:
                wrong[y, x] = {0: 3, 3: 0}.get(int(own[y, x]), own[y, x])
    return [wrong]


@pytest.mark.parametrize('layout', ['cityscapes', 'npy'])
@pytest.mark.parametrize(('task', 'kind'), [(task, kind) for task, kinds in KINDS.items() for kind in kinds])
def test_maps_are_wrong_as_the_kind_says(build, layout, task, kind):
    clean = build(layout)
    field = 'gt_seg_map' if task == 'seg' else 'gt_depth_map'
    dataset = CorruptLabels(clean, {task: 0.5, 'depth' if task == 'seg' else 'seg': 0.0}, kinds={task: kind})
    maps = [clean[i][field] for i in range(4)]
    wrong = dataset.corrupted[task]
    assert wrong.sum() == 2
    for i in range(4):
        found = dataset[i]
        assert np.array_equal(found['img'], clean[i]['img']) and found[field].dtype == maps[i].dtype
        other = 'gt_depth_map' if task == 'seg' else 'gt_seg_map'
        assert np.array_equal(found[other], clean[i][other])
        if not wrong[i]:
            assert np.array_equal(found[field], maps[i])
            continue
        assert not np.array_equal(found[field], maps[i])
        allowed = expected_map(kind, task, maps[i], [m for j, m in enumerate(maps) if j != i])
        assert any(np.array_equal(found[field], one) for one in allowed)
    again = CorruptLabels(build(layout), {task: 0.5}, kinds={task: kind})
    assert (again.corrupted[task] == wrong).all()
    permuted = CorruptLabels(clean, {task: 0.5}).corrupted[task]
    assert (permuted == wrong).all() or (isinstance(kind, dict) and kind['type'] == 'swapped')


def test_swapped_classes_are_in_the_images(build, tmp_path, files):
    """Only images that have one of them can be wrong, and the share is one of those."""
    root = files.write_cityscapes(tmp_path, num_train=10)
    paths = sorted(tmp_path.rglob('train/*/*_labelIds.png'))
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((16, 32), 23 if number % 2 else 7, np.uint8))  # sky, or flat
    clean = CityscapesMultiTask(root, num_classes=7, pipeline=[load_image, LoadLabelMap(), LoadDisparity()])
    dataset = CorruptLabels(clean, dict(seg=0.4), kinds=dict(seg=dict(type='swapped', classes=[4, 1])))
    wrong = dataset.corrupted['seg']
    sky = np.array([clean.get_cat_ids(i) == [4] for i in range(10)])
    assert wrong.sum() == 2 and sky.sum() == 5 and (sky | ~wrong).all()
    assert [dataset.get_cat_ids(i) == [1] for i in range(10)] == wrong.tolist()
    assert [(dataset[i]['gt_seg_map'] == 1).all() for i in range(10)] == wrong.tolist()


@pytest.mark.parametrize('parts', [1, 2])
def test_swapped_labels_of_a_classifier(parts):
    clean = Digits(image_size=8, indices=200)
    if parts == 2:  # mmengine's wrapper knows no classes
        clean = ConcatDataset(
            [Digits(image_size=8, indices=range(100)), Digits(image_size=8, indices=range(100, 200))]
        )
    dataset = CorruptLabels(clean, dict(label=0.5), kinds=dict(label=dict(type='swapped', classes=(3, 8))))
    own = np.array([clean.get_data_info(i)['gt_label'] for i in range(200)])
    found = np.array([dataset.get_data_info(i)['gt_label'] for i in range(200)])
    wrong = dataset.corrupted['label']
    assert wrong.sum() == round(0.5 * np.isin(own, [3, 8]).sum()) > 5
    assert (found[~wrong] == own[~wrong]).all() and (found[wrong] == 11 - own[wrong]).all()
    assert isinstance(dataset.get_data_info(0)['gt_label'], int)


def test_a_single_instance_may_be_mirrored(build):
    assert CorruptLabels(build('npy'), dict(depth=0.25), kinds=dict(depth='mirrored')).corrupted['depth'].sum() == 1


class Plain(BaseDataset):
    """A data set with a pipeline of the user's."""

    def load_data_list(self):
        return [dict(img_path=f'{i}.png', depth_map_path=f'{i}.d', seg_map_path=f'{i}.s') for i in range(4)]


def test_maps_that_no_transform_of_ours_loads():
    dataset = Plain(pipeline=[load_image])
    with pytest.raises(
        ValueError, match=r"`kinds` of the task 'depth' must be 'permuted' unless .* got 'mirrored' and"
    ):
        CorruptLabels(dataset, dict(depth=0.5), kinds=dict(depth='mirrored'))
    CorruptLabels(dataset, dict(depth=0.0), kinds=dict(depth='mirrored'))
    with pytest.raises(ValueError, match=r"`kinds` of the task 'seg' must be 'permuted'"):
        CorruptLabels(Plain(pipeline=[LoadDisparity()]), dict(seg=0.5), kinds=dict(seg='half'))
    assert CorruptLabels(dataset, dict(depth=0.5), kinds=dict(depth='permuted')).corrupted['depth'].any()


def test_half_a_map_of_another_size(build, tmp_path):
    pipeline = [load_image, LoadLabelMap(), LoadDisparity()]
    dataset = build('cityscapes')
    wrong = CorruptLabels(dataset, dict(seg=1.0), kinds=dict(seg='half'))
    info = wrong.get_data_info(0)
    error = info['label_errors']['seg']
    small = cv2.resize(cv2.imread(error['donor']['seg_map_path'], cv2.IMREAD_UNCHANGED), (8, 8))
    path = str(tmp_path / 'small.png')
    cv2.imwrite(path, small)
    error['donor']['seg_map_path'] = path
    with pytest.raises(ValueError, match=r"the kind 'half' needs maps of one size, got \(16, 32\) and \(8, 8\)"):
        pipeline[1](pipeline[0](info))


@pytest.mark.parametrize(
    ('kinds', 'match'),
    [
        (dict(depth='swapped'), r"`kinds` of the task 'depth' must be one of \('permuted', 'half', .* got 'swapped'"),
        (dict(seg='scaled'), "`kinds` of the task 'seg' must be one of .* got 'scaled'"),
        (dict(label='half'), r"`kinds` of the task 'label' must be one of \('permuted', 'swapped'\), got 'half'"),
        (dict(pose='mirrored'), r"`kinds` of the task 'pose' must be one of \('permuted',\), got 'mirrored'"),
        (dict(seg=dict(share=0.5)), "`kinds` of the task 'seg' must be one of .* got None"),
        (dict(seg=dict(type='half', share=0.5)), r"with the type 'half' must have options from \(\), got .*share"),
        (dict(seg='swapped'), "`classes` of the kind 'swapped' must be two different classes, got None"),
        (dict(seg=dict(type='swapped', classes=(1, 1))), r'must be two different classes, got \(1, 1\)'),
        (dict(seg=dict(type='shifted', share=1.0)), "`share` of the kind 'shifted' must be between 0 and 1, got 1.0"),
        (dict(depth=dict(type='scaled', factor=1)), "`factor` of the kind 'scaled' must be above 0 and not 1, got 1"),
        (dict(parts='half'), r"`kinds` must be for tasks of `fractions`, \('seg', .*got \('parts',\)"),
    ],
)
def test_bad_kinds(kinds, match):
    with pytest.raises(ValueError, match=match):
        CorruptLabels(Plain(), dict(seg=0.5, depth=0.5, label=0.0, pose=0.0), kinds=kinds)
