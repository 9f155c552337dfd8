"""One image goes through everything before a training starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmfct.apis.training.config import load_config
from mmfct.apis.training.first_image import try_first_image
from mmfct.registry import MODELS

CONFIGS = Path(__file__).parents[3] / 'configs/fct'


@pytest.fixture
def config(digits) -> Config:
    init_default_scope('mmpretrain')
    return load_config(digits.config, digits.cfg_options)


def test_a_config_that_fits_passes_and_leaves_random_numbers_alone(config):
    model = MODELS.build(config.model)
    before = torch.get_rng_state()
    try_first_image(config, model)
    try_first_image(config, torch.nn.parallel.DataParallel(model))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize('loader', ['train_dataloader', 'test_dataloader'])
def test_the_tables_of_every_loader_are_tried(config, loader):
    for other in {'train_dataloader', 'test_dataloader'} - {loader}:
        config[other] = None
    config.model.head.new_dims = 7
    with pytest.raises(ValueError, match=r'the new embedding must have shape \(B, 7\)'):
        try_first_image(config, MODELS.build(config.model))


def test_side_information_that_is_not_used_may_have_any_width(config):
    config.model.update(use_side=False)
    config.model.head.side_dims = 128  # that of the old embedding, which feeds both branches
    config.train_dataloader.dataset.encoders.side.backbone.embedding_dims = 64
    config.train_dataloader.dataset.encoders.side.checkpoint = None
    config.test_dataloader = None
    with pytest.raises(ValueError, match='`checkpoint` must be given'):  # but it must be computable
        try_first_image(config, MODELS.build(config.model))


def test_without_a_table_or_an_image_there_is_nothing_to_try(config):
    model = MODELS.build(config.model)
    model.head.new_dims = 7
    for loader in ('train_dataloader', 'test_dataloader'):
        config[loader].dataset.dataset.update(indices=0, serialize_data=False)
    try_first_image(config, model)
    config.train_dataloader.dataset = config.train_dataloader.dataset.dataset
    config.test_dataloader = None
    try_first_image(config, model)
    try_first_image(load_config(CONFIGS / 'resnet10_digits_old.py'), torch.nn.Linear(1, 1))
