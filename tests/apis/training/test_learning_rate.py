"""Learning rates for other batch sizes than that of the recipe."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from mmengine.config import Config

from mmfct.apis.training import learning_rate
from mmfct.apis.training.learning_rate import scale_learning_rate
from mmfct.apis.training.options import TrainingOptions

CONFIGS = Path(__file__).parents[3] / 'configs/fct'


def config(optimizer: str = 'SGD', batch_size: int = 64, *, enable: bool = True, **entries) -> Config:
    return Config(
        dict(
            train_dataloader=dict(batch_size=batch_size),
            optim_wrapper=dict(optimizer=dict(type=optimizer, lr=0.8), **entries.pop('wrapper', {})),
            auto_scale_lr=dict(base_batch_size=1024, enable=enable, **entries),
        )
    )


@pytest.mark.parametrize(
    ('optimizer', 'expected'),
    [('SGD', 0.05), ('LARS', 0.05), ('Adam', 0.2), ('AdamW', 0.2), ('RMSprop', 0.2), ('mmfct.Own', 0.05)],
)
def test_the_rule_is_that_of_the_optimiser(optimizer, expected, capsys):
    before = config(optimizer)
    scaled = scale_learning_rate(before)
    assert scaled.optim_wrapper.optimizer.lr == pytest.approx(expected)
    assert before.optim_wrapper.optimizer.lr == 0.8
    assert scaled.auto_scale_lr.enable is False  # or mmengine would scale it once more
    assert 'batch size 64 instead of 1024, learning rate times' in capsys.readouterr().out


@pytest.mark.parametrize(('rule', 'expected'), [('linear', 0.2), ('sqrt', 0.4), ('none', 0.8)])
@pytest.mark.parametrize('optimizer', ['SGD', 'Adam'])
def test_a_recipe_may_have_a_rule_of_its_own(rule, expected, optimizer):
    assert scale_learning_rate(config(optimizer, 256, rule=rule)).optim_wrapper.optimizer.lr == pytest.approx(expected)


def test_the_batch_is_that_of_all_processes_and_accumulated_steps(monkeypatch):
    monkeypatch.setattr(learning_rate, 'get_world_size', lambda: 4)
    assert scale_learning_rate(config()).optim_wrapper.optimizer.lr == pytest.approx(0.2)
    accumulated = config(wrapper=dict(accumulative_counts=4))
    assert scale_learning_rate(accumulated).optim_wrapper.optimizer.lr == 0.8


def test_several_optimisers():
    several = config()
    several.optim_wrapper = dict(
        constructor='Own',
        a=dict(optimizer=dict(type='SGD', lr=1.0)),
        b=dict(optimizer=dict(type='Adam', lr=1.0)),
    )
    scaled = scale_learning_rate(several).optim_wrapper
    assert (scaled.a.optimizer.lr, scaled.b.optimizer.lr) == (1 / 16, 1 / 4)


@pytest.mark.parametrize('entry', [None, dict(base_batch_size=1024), dict(base_batch_size=1024, enable=False)])
def test_nothing_is_scaled_unasked(entry):
    unasked = config()
    unasked.auto_scale_lr = entry
    before = copy.deepcopy(unasked.to_dict())
    assert scale_learning_rate(unasked).to_dict() == before


def test_mistakes():
    with pytest.raises(ValueError, match=r"`auto_scale_lr\['rule'\]` must be one of .*'sqrt'.*, got 'square'"):
        scale_learning_rate(config(rule='square'))
    without = config()
    del without.optim_wrapper.optimizer['lr']
    with pytest.raises(ValueError, match='needs `lr` in the config of the optimiser SGD, got None'):
        scale_learning_rate(without)


@pytest.mark.parametrize(
    ('name', 'ratio'),
    [('resnet50_imagenet', 8**-0.5), ('resnet50_imagenet_old', 1 / 8), ('vit_imagenet_new', 1 / 8)],
)
def test_recipes_for_eight_processes_in_one(name, ratio):
    """Adam of the transformation by the root; SGD, and AdamW of DeiT as its authors do, linearly."""
    recipe = TrainingOptions(auto_scale_lr=True).load(CONFIGS / f'{name}.py')
    lr = scale_learning_rate(recipe).optim_wrapper.optimizer.lr
    assert lr == pytest.approx(ratio * recipe.optim_wrapper.optimizer.lr)
