"""The training set as the tool for wrong labels sees it."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS
from mmengine.structures import BaseDataElement

from mmfct.apis.find_corrupt_labels.data import TrainingInstances, instance_rows
from mmfct.instances.positions import inner_positions


@DATASETS.register_module(name='SuspectToy')
class Toy(BaseDataset):
    """Images without pixels; items say by which pipeline they came."""

    def __init__(self, names, **options):
        self.names = names
        super().__init__(serialize_data=False, **options)

    def load_data_list(self):
        return [dict(img_path=f'/data/{name}') for name in self.names]

    def get_cat_ids(self, idx):
        return [idx % 2]


class Mark:
    """Transform that leaves its name."""

    def __init__(self, name):
        self.name = name

    def __call__(self, results):
        return dict(inputs=0, data_samples=BaseDataElement(metainfo=results | dict(by=self.name)))


def toy(*names: str, mark: str = 'training') -> dict:
    return dict(type='SuspectToy', names=names, pipeline=[Mark(mark)])


def make_config(train: dict, **options) -> Config:
    validation = dict(batch_size=2, num_workers=0, dataset=toy('z', mark='validation'), drop_last=True)
    return Config(dict(train_dataloader=dict(dataset=train), val_dataloader=validation) | options)


WRAPPED = {
    'plain': toy('b', 'a', 'c'),
    'repeated': dict(type='RepeatDataset', times=3, dataset=toy('b', 'a', 'c')),
    'concatenated': dict(type='ConcatDataset', datasets=[toy('b', 'a'), toy('a', 'c')]),
    'balanced': dict(type='ClassBalancedDataset', oversample_thr=0.9, dataset=toy('b', 'a', 'c')),
    'nested': dict(
        type='RepeatDataset', times=2, dataset=dict(type='ConcatDataset', datasets=[toy('b'), toy('a', 'c')])
    ),
}


@pytest.mark.parametrize('case', WRAPPED)
def test_each_image_comes_once_through_the_pipeline_of_the_validation(case):
    config = make_config(WRAPPED[case])
    instances = TrainingInstances.of(config)
    assert instances.files == ['b', 'a', 'c']
    assert instances.paths == ['/data/b', '/data/a', '/data/c']
    samples = [sample for batch in instances.loader(config) for sample in batch['data_samples']]
    assert [sample.img_path for sample in samples] == instances.paths
    assert {sample.by for sample in samples} == {'validation'}
    assert [sample.img_path for batch in instances.loader(config, [2, 0]) for sample in batch['data_samples']] == [
        '/data/c',
        '/data/b',
    ]


def test_rows_of_a_part():
    instances = TrainingInstances.of(make_config(WRAPPED['concatenated']))
    assert instance_rows(instances.dataset.datasets[1], instances.keys).tolist() == [1, 2]
    assert instance_rows(instances.dataset, instances.keys).tolist() == [0, 1, 1, 2]


def test_the_config_is_not_changed():
    config = make_config(WRAPPED['nested'])
    before = config.to_dict()
    TrainingInstances.of(config)
    assert config.to_dict() == before


def test_a_wrapper_that_augments_gets_no_pipeline():
    @DATASETS.register_module(name='SuspectAugmenting', force=True)
    class Augmenting:
        def __init__(self, dataset, pipeline):
            assert pipeline == []
            self.dataset = DATASETS.build(dataset)

        metainfo: dict = {}

        def get_data_info(self, idx):
            return self.dataset.get_data_info(idx)

        def __len__(self):
            return len(self.dataset)

    inner_positions.register(Augmenting, lambda wrapper: np.arange(len(wrapper)))
    wrapped = dict(type='SuspectAugmenting', dataset=toy('b', 'a'), pipeline=[Mark('flip')])
    assert TrainingInstances.of(make_config(wrapped)).files == ['b', 'a']


@pytest.mark.parametrize('kind', ['mmfct.InstanceTaskWeightHook', 'InstanceTaskWeightHook'])
def test_the_key_is_that_of_the_hook(kind):
    hooks = [dict(type='EmptyCacheHook'), dict(type=kind, key='sample_idx')]
    instances = TrainingInstances.of(make_config(WRAPPED['repeated'], custom_hooks=hooks))
    assert instances.files == ['0', '1', '2']
    assert instances.paths == ['/data/b', '/data/a', '/data/c']


def test_the_test_set_stands_in_for_a_validation_set():
    config = make_config(toy('a'), val_dataloader=None)
    config.test_dataloader = dict(num_workers=0, dataset=toy('z', mark='test'), batch_sampler=dict(type='X'))
    instances = TrainingInstances.of(config)
    (batch,) = instances.loader(config)
    assert batch['data_samples'][0].by == 'test'


def test_a_config_without_data_sets():
    with pytest.raises(ValueError, match='the config must have a `train_dataloader`'):
        TrainingInstances.of(Config())
    with pytest.raises(ValueError, match='must have a `val_dataloader` or a `test_dataloader`, .* got neither'):
        TrainingInstances.of(make_config(toy('a'), val_dataloader=None))
