"""Images with several annotations."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.structures import BaseDataElement
from torch.utils.data import Subset

from mmfct.datasets.corrupt_labels import CorruptLabels
from mmfct.instances.keys import InstanceKeys, keys_fingerprint


class Maps(BaseDataset):
    """Images with label maps: pairs of names."""

    def __init__(self, *pairs: tuple[str, str], **extra) -> None:
        self.pairs, self.extra = pairs, extra
        super().__init__(pipeline=[])

    def load_data_list(self):
        return [dict(self.extra, img_path=f'/d/{image}', seg_map_path=f'/d/{labels}') for image, labels in self.pairs]


def rows(dataset, keys: InstanceKeys, *fields: str) -> list[int]:
    """Row of every item, by its data sample with the named fields as meta information."""
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    samples = [BaseDataElement(metainfo={field: info[field] for field in ('img_path', *fields)}) for info in infos]
    return [keys.row(keys.name_of(sample)) for sample in samples]


def test_frames_under_one_path_are_numbered():
    dataset = Maps(('a.png', '1.png'), ('clip.mp4', '2.png'), ('clip.mp4', '3.png'), ('b.png', '4.png'))
    keys = InstanceKeys.of(RepeatDataset(dataset, 2))
    assert keys.keys == ['a.png', 'clip.mp4#1', 'clip.mp4#2', 'b.png']
    assert keys.fingerprint == keys_fingerprint(keys.keys)
    assert rows(dataset, keys, 'sample_idx') == [0, 1, 2, 3]
    assert [keys.row(keys.name(dataset.get_data_info(i))) for i in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="must have 'sample_idx' in their meta information.*add it to `meta_keys`"):
        rows(dataset, keys)
    wrong = CorruptLabels(dataset, dict(seg=1.0))  # a wrong label does not change what the instance is
    assert InstanceKeys.of(wrong).keys == keys.keys and rows(wrong, keys, 'sample_idx') == [0, 1, 2, 3]


def test_labels_of_two_people_are_told_apart_by_their_files():
    people = [Maps(('a.png', f'{name}/a.png'), ('b.png', f'{name}/b.png')) for name in ('anna', 'otto')]
    dataset = ConcatDataset([*people, people[0]])  # the first ones once more
    keys = InstanceKeys.of(dataset)
    assert keys.keys == ['a.png#anna:a.png', 'b.png#anna:b.png', 'a.png#otto:a.png', 'b.png#otto:b.png']
    assert rows(dataset, keys, 'seg_map_path', 'sample_idx') == [0, 1, 2, 3, 0, 1]


def test_two_fields_where_one_is_not_enough():
    first = Maps(('a.png', 'x.png'), crop=1)
    second = Maps(('a.png', 'y.png'), ('c.png', 'x.png'), ('a.png', 'x.png'), crop=2)
    dataset = ConcatDataset([first, second])
    keys = InstanceKeys.of(dataset)
    assert keys.keys == ['a.png#0#x.png', 'a.png#0#y.png', 'c.png', 'a.png#2#x.png']
    assert rows(second, keys, 'seg_map_path', 'sample_idx') == [1, 2, 3]


def test_images_that_come_once_keep_their_keys():
    dataset = Maps(('a.png', '1.png'), ('b.png', '2.png'))
    assert InstanceKeys.of(dataset).keys == ['a.png', 'b.png']
    twice = ConcatDataset([dataset, Maps(('a.png', '1.png'))])
    assert InstanceKeys.of(twice).keys == ['a.png', 'b.png'] and rows(dataset, InstanceKeys.of(twice)) == [0, 1]
    mixed = ConcatDataset([dataset, Maps(('a.png', '1.png'), ('b.png', '3.png'))])  # one alike, one not
    keys = InstanceKeys.of(mixed)
    assert keys.keys == ['a.png', 'b.png#2.png', 'b.png#3.png']
    assert rows(mixed, keys, 'seg_map_path', 'sample_idx') == [0, 1, 0, 2]
    assert InstanceKeys.of(Subset(Maps(('a.png', '1.png'), ('a.png', '2.png')), [1, 1])).keys == ['a.png']


def test_annotations_that_nothing_tells_apart():
    parts = [Maps(('a.png', 'x.png'), image=np.full(3, value)) for value in (1, 2)]
    with pytest.raises(
        ValueError, match=r"must differ in `sample_idx` or .*'/d/a.png' with several in \['sample_idx', "
    ):
        InstanceKeys.of(ConcatDataset(parts))
    assert (
        len(InstanceKeys.of(ConcatDataset([parts[0], parts[0], Maps(('a.png', 'x.png'), image=np.full(3, 1))]))) == 1
    )
