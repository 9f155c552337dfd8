"""Looking through the wrappers in the config of a data set."""

from __future__ import annotations

import copy

import pytest
from mmengine.config import Config, ConfigDict
from mmengine.dataset import RepeatDataset

from mmfct.utils.dataset_configs import dataset_chains, innermost_dataset, type_name, with_pipeline


def images(name: str) -> dict:
    return dict(type='mmfct.ImageFiles', data_root=name, pipeline=[dict(type='Load')])


A, B, C = map(images, 'abc')
MIX = dict(type='MultiImageMixDataset', dataset=A, pipeline=[dict(type='Mosaic')])
NESTED = dict(type='RepeatDataset', times=2, dataset=dict(type='ConcatDataset', datasets=[MIX, B, C]))


def names(config: dict) -> list[list[str]]:
    return [[*(type_name(node) for node in chain[:-1]), chain[-1]['data_root']] for chain in dataset_chains(config)]


@pytest.mark.parametrize('wrap', [dict, lambda config: Config(dict(data=config)).data])
def test_chains_from_the_outermost_wrapper_to_the_data_set(wrap):
    assert names(wrap(A)) == [['a']]
    assert names(wrap(NESTED)) == [
        ['RepeatDataset', 'ConcatDataset', 'MultiImageMixDataset', 'a'],
        ['RepeatDataset', 'ConcatDataset', 'b'],
        ['RepeatDataset', 'ConcatDataset', 'c'],
    ]
    assert innermost_dataset(wrap(NESTED)) == A


def test_chains_are_parts_of_the_config():
    config = copy.deepcopy(NESTED)
    innermost_dataset(config)['test_mode'] = True
    assert config['dataset']['datasets'][0]['dataset']['test_mode'] is True


@pytest.mark.parametrize('kind', ['RepeatDataset', 'mmengine.RepeatDataset', RepeatDataset])
def test_names_of_types(kind):
    assert type_name(dict(type=kind)) == 'RepeatDataset'


@pytest.mark.parametrize('kind', [dict, ConfigDict])
def test_another_pipeline(kind):
    config, pipeline = kind(copy.deepcopy(NESTED)), [dict(type='Other')]
    changed = with_pipeline(config, pipeline)
    assert config == NESTED  # a copy
    assert [chain[-1]['pipeline'] for chain in dataset_chains(changed)] == [pipeline] * 3
    assert next(dataset_chains(changed))[2]['pipeline'] == []
    assert 'pipeline' not in changed and changed['times'] == 2
    innermost_dataset(changed)['pipeline'].clear()
    assert pipeline == [dict(type='Other')]
