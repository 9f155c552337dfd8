"""Tests of the wrapper that permutes annotations."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner

from mmfct.datasets import ClassSubset, Digits
from mmfct.datasets.cityscapes_multi_task import CityscapesMultiTask
from mmfct.datasets.corrupt_labels import CorruptLabels
from mmfct.instances.keys import InstanceKeys

NUMBER = 20


class Toy(BaseDataset):
    """Images without pixels, with annotations named after them."""

    def __init__(self, name='a', number=NUMBER, unannotated=(), **kwargs):
        self.name, self.number, self.unannotated = name, number, unannotated
        super().__init__(metainfo=dict(classes=list('0123456')), **kwargs)

    def load_data_list(self):
        infos = []
        for i in range(self.number):
            name = f'/data/{self.name}/{i}'
            depth = None if i in self.unannotated else f'{name}.depth'
            camera = depth and f'{name}.camera'
            info = dict(img_path=f'{name}.png', seg_map_path=f'{name}.seg', depth_map_path=depth, camera_path=camera)
            infos.append(dict(info, gt_label=i % 7))
        return infos


def stems(dataset, field) -> list[str | None]:
    values = [dataset.get_data_info(i)[field] for i in range(len(dataset))]
    return [value and value.rpartition('.')[0] for value in values]


def test_annotations_of_a_share_are_permuted():
    dataset = CorruptLabels(Toy(unannotated=[3, 4]), dict(depth=0.5, seg=0.2))
    images, seg, depth = (stems(dataset, field) for field in ('img_path', 'seg_map_path', 'depth_map_path'))
    assert len(dataset) == NUMBER and images == stems(Toy(), 'img_path')
    corrupted = dataset.corrupted
    assert set(corrupted) == {'depth', 'seg'}
    assert corrupted['depth'].dtype == bool and corrupted['depth'].shape == (NUMBER,)
    assert corrupted['seg'].tolist() == [a != b for a, b in zip(seg, images, strict=True)]
    assert (corrupted['seg'].sum(), corrupted['depth'].sum()) == (4, 9)
    assert sorted(seg) == sorted(images)
    assert not corrupted['depth'][[3, 4]].any() and depth[3] is None
    changed = np.flatnonzero(corrupted['depth'])
    assert sorted(depth[i] for i in changed) == sorted(images[i] for i in changed)
    assert depth == stems(dataset, 'camera_path')  # the camera goes with its depth map
    assert [dataset.get_data_info(i)['sample_idx'] for i in range(NUMBER)] == list(range(NUMBER))
    corrupted['seg'][:] = False
    assert dataset.corrupted['seg'].any()


def test_pipeline_gets_the_wrong_annotation():
    dataset = CorruptLabels(Toy(pipeline=[lambda results: results]), dict(seg=0.5))
    assert [dataset[i] for i in range(NUMBER)] == [dataset.get_data_info(i) for i in range(NUMBER)]
    assert dataset[-1] == dataset[NUMBER - 1]
    assert dataset[np.int64(2)]['sample_idx'] == 2
    for index in (NUMBER, -NUMBER - 1):
        with pytest.raises(IndexError):
            dataset[index]


def test_classes_that_are_the_same_are_not_corrupted():
    dataset = CorruptLabels(Toy(), dict(label=1.0))
    labels = [dataset.get_data_info(i)['gt_label'] for i in range(NUMBER)]
    own = [i % 7 for i in range(NUMBER)]
    assert sorted(labels) == sorted(own)
    assert dataset.corrupted['label'].tolist() == [a != b for a, b in zip(labels, own, strict=True)]
    assert 10 <= dataset.corrupted['label'].sum() < NUMBER
    assert ClassSubset(dataset, num_classes=2).get_gt_labels().tolist() == [label for label in labels if label < 2]


def test_labels_of_digits():
    clean = Digits(image_size=8, indices=200)
    dataset = CorruptLabels(clean, dict(label=0.4))
    wrong = dataset.corrupted['label']
    assert 50 < wrong.sum() < 80
    for i in range(200):
        info, own = dataset[i], clean[i]
        assert np.array_equal(info['img'], own['img'])
        assert (info['gt_label'] != own['gt_label']) == wrong[i]
    assert InstanceKeys.of(dataset).keys == InstanceKeys.of(clean).keys


def test_wrappers_inside_repeat_the_same_wrong_annotation():
    inner = RepeatDataset(Toy(number=10), 3)
    dataset = CorruptLabels(inner, dict(seg=0.4))
    once = CorruptLabels(Toy(number=10), dict(seg=0.4))
    assert len(dataset) == 30
    assert stems(dataset, 'seg_map_path') == stems(once, 'seg_map_path') * 3
    assert dataset.corrupted['seg'].tolist() == once.corrupted['seg'].tolist() * 3


def test_class_subset_and_concatenation_inside():
    subset = ClassSubset(Toy(pipeline=[lambda results: results['seg_map_path']]), num_classes=3)
    dataset = CorruptLabels(subset, dict(seg=1.0))
    own = stems(subset, 'img_path')
    assert sorted(stems(dataset, 'seg_map_path')) == sorted(own)  # none from outside the subset
    assert [dataset[i].rpartition('.')[0] for i in range(len(dataset))] == stems(dataset, 'seg_map_path')

    both = ConcatDataset([Toy(pipeline=[lambda results: ('a', results)]), Toy('b', pipeline=[lambda x: ('b', x)])])
    dataset = CorruptLabels(both, dict(seg=1.0))
    assert [dataset[i][0] for i in range(40)] == ['a'] * 20 + ['b'] * 20
    assert any('/b/' in seg for seg in stems(dataset, 'seg_map_path')[:20])


def test_one_wrapper_around_another():
    inner = CorruptLabels(Toy(pipeline=[lambda results: results]), dict(depth=0.5))
    dataset = CorruptLabels(inner, dict(seg=0.5))
    assert stems(dataset, 'depth_map_path') == stems(inner, 'depth_map_path')
    together = CorruptLabels(Toy(), dict(seg=0.5, depth=0.5))
    for field in ('seg_map_path', 'depth_map_path'):
        assert stems(dataset, field) == stems(together, field)
    assert dataset[5] == dataset.get_data_info(5) == together.get_data_info(5)


def test_further_tasks():
    dataset = CorruptLabels(Toy(), dict(view=1.0), fields=dict(view=['camera_path', 'gt_label']))
    info = dataset.get_data_info(0)
    donor = int(info['camera_path'].rpartition('/')[2].partition('.')[0])
    assert donor != 0 and info['gt_label'] == donor % 7
    assert dataset.corrupted['view'].all()


def test_the_choice_is_the_same_every_time():
    first, second = (CorruptLabels(Toy(), dict(label=0.5, seg=0.2)) for _ in range(2))
    assert [first.get_data_info(i) for i in range(NUMBER)] == [second.get_data_info(i) for i in range(NUMBER)]


def test_lazy_init_reads_nothing_until_it_must():
    inner = Toy(lazy_init=True)
    dataset = CorruptLabels(inner, dict(seg=0.5), lazy_init=True)
    assert dataset.metainfo == dict(classes=list('0123456'))
    assert not inner._fully_initialized
    assert dataset.corrupted['seg'].sum() == 10
    assert inner._fully_initialized


def test_replacement_of_a_rejected_image():
    def reject(results: dict) -> dict | None:
        return None if results['sample_idx'] == 1 else results

    dataset = CorruptLabels(Toy(pipeline=[reject]), dict(seg=1.0))
    indices = {dataset[1]['sample_idx'] for _ in range(200)}
    assert 1 not in indices and len(indices) == NUMBER - 1
    assert dataset[1] in [dataset.get_data_info(i) for i in range(NUMBER)]


@pytest.mark.parametrize(('test_mode', 'times'), [(False, 4), (True, 1)])
def test_pipeline_that_rejects_everything(test_mode, times):
    inner = Toy(pipeline=[lambda results: None], test_mode=test_mode, max_refetch=3)
    with pytest.raises(RuntimeError, match=f'the pipeline of `dataset` returned None {times} times in a row'):
        CorruptLabels(inner, dict(seg=1.0))[0]


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        (dict(fractions=dict(flow=0.5)), r"`fractions` must be for tasks from \('seg', .*\), got \['flow'\]"),
        (dict(fractions=dict(seg=1.5)), r"`fractions` must be from 0 to 1, got \{'seg': 1\.5\}"),
        (dict(fractions=dict(seg=-0.1)), '`fractions` must be from 0 to 1'),
        (dict(fractions=dict(seg=float('nan'))), '`fractions` must be from 0 to 1'),
        (dict(fractions=dict(seg=0.05)), '`fractions` must choose at least 2 .* got 0.05 of 20 .*seg'),
        (dict(fractions=dict(x=0.5), fields=dict(x=['absent'])), "`fractions` must choose .* got 0.5 of 0 .*'x'"),
        (dict(fractions=dict(seg=0.5), seed=-1), '`seed` must be at least 0, got -1'),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        CorruptLabels(Toy(), **options)


def test_something_else_than_data_sets():
    with pytest.raises(TypeError, match='`dataset` must be a config or an mmengine data set, got .*list'):
        CorruptLabels([1, 2], dict(seg=0.5))


class Mixing(Toy):
    """A data set that does more than running its pipeline."""

    def prepare_data(self, idx):
        return super().prepare_data(idx), super().prepare_data(0)


def test_data_sets_that_do_more_than_running_their_pipeline():
    with pytest.raises(TypeError, match='`dataset` must be made of data sets that run a pipeline .* got .*Mixing'):
        CorruptLabels(RepeatDataset(Mixing(), 2), dict(seg=0.5))


def test_street_scenes_through_a_stock_loader_config(tmp_path, files):
    pytest.importorskip('mmseg')
    root = files.write_cityscapes(tmp_path / 'data', num_train=10)
    pipeline = [dict(type='LoadImageFromFile'), dict(type='mmfct.LoadLabelMap'), dict(type='mmfct.LoadDisparity')]
    pack = dict(type='PackSegInputs', meta_keys=('img_path', 'seg_map_path', 'depth_map_path', 'sample_idx'))
    inner = dict(type='mmfct.CityscapesMultiTask', data_root=root, num_classes=7, pipeline=[*pipeline, pack])
    config = dict(type='mmfct.CorruptLabels', dataset=inner, fractions=dict(depth=0.4))
    sampler = dict(type='DefaultSampler', shuffle=False)
    with DefaultScope.overwrite_default_scope('mmseg'):
        loader = Runner.build_dataloader(dict(batch_size=5, num_workers=0, sampler=sampler, dataset=config), seed=0)
        samples = [sample for batch in loader for sample in batch['data_samples']]
        clean = DATASETS.build(inner)
        own = [clean[i]['data_samples'] for i in range(10)]
    same = [bool((a.gt_depth_map.data == b.gt_depth_map.data).all()) for a, b in zip(samples, own, strict=True)]
    assert loader.dataset.corrupted['depth'].tolist() == [not value for value in same]
    assert sum(same) == 6
    assert all((a.gt_sem_seg.data == b.gt_sem_seg.data).all() for a, b in zip(samples, own, strict=True))
    assert [sample.img_path for sample in samples] == [sample.img_path for sample in own]
    assert isinstance(clean, CityscapesMultiTask)
