"""What changes pixels is described, and nothing else."""

from __future__ import annotations

import pytest
from mmengine.registry import init_default_scope

from mmfct.apis.extract_gallery.preprocessing import describe_normalization, describe_pipeline


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def test_the_same_pipeline_written_otherwise_is_the_same():
    plain = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=32), dict(type='PackInputs')]
    wordy = [
        dict(
            type='mmpretrain.LoadImageFromFile',
            color_type='color',
            backend_args=dict(backend='local'),
            to_float32=False,
        ),
        dict(type='Resize', scale=32, keep_ratio=False),
        dict(type='PackInputs', meta_keys=('img_path',)),
    ]
    assert (
        describe_pipeline(plain)
        == describe_pipeline(wordy)
        == [
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=32),
        ]
    )


@pytest.mark.parametrize(
    'transform',
    [
        dict(type='Resize', scale=33),
        dict(type='Resize', scale=32, keep_ratio=True),
        dict(type='Resize', scale=32, backend='pillow'),
        dict(type='CenterCrop', crop_size=32),
        dict(type='Compose', transforms=[dict(type='Resize', scale=32)]),
        len,
    ],
)
def test_other_pixels_are_another_pipeline(transform):
    assert describe_pipeline([transform]) != describe_pipeline([dict(type='Resize', scale=32)])


def test_transforms_may_be_nested_or_callables():
    assert describe_pipeline(
        [dict(type='Unknown', transforms=[dict(type='Resize', scale=(4, 4)), dict(type='PackX')])]
    ) == [dict(type='Unknown', transforms=[dict(type='Resize', scale=[4, 4])])]
    assert describe_pipeline([len, dict, object()]) == [dict(type='len'), dict(type='dict'), dict(type='object')]


def test_the_normalisation_of_two_models_with_other_classes_is_the_same():
    options = dict(mean=[1, 2, 3], std=[4.0, 5.0, 6.0], to_rgb=True)
    expected = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], swap_channels=True)
    for kind in (dict(type='ClsDataPreprocessor', num_classes=3), dict(type='SelfSupDataPreprocessor')):
        assert describe_normalization(options | kind) == expected
    assert describe_normalization(None) == describe_normalization(dict(type='BaseDataPreprocessor')) == {}


@pytest.mark.parametrize('change', [dict(std=[1.0]), dict(to_rgb=True), dict(pad_size_divisor=32), dict(type='Other')])
def test_another_normalisation_differs(change):
    plain = dict(type='ClsDataPreprocessor', mean=[0.0], std=[255.0])
    assert describe_normalization(plain | change) != describe_normalization(plain)
