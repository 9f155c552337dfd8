"""Data sets that are built and initialised."""

from __future__ import annotations

import copy

from mmfct.datasets.wrapped_dataset import ready_dataset


def test_a_lazy_data_set_is_initialised_and_its_config_stays():
    config = dict(type='mmfct.Digits', split='train', lazy_init=True, indices=7)
    before = copy.deepcopy(config)
    dataset = ready_dataset(config)
    assert dataset._fully_initialized and len(dataset) == 7 and config == before
