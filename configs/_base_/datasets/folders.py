"""Your own photographs in class folders, train/<class>/* and val/<class>/*, small enough for one machine."""

data_root = 'data/folders'
data_hint = 'it holds `train/<class>/*` and `val/<class>/*`; set it with `--cfg-options data_root=...`'
num_classes = 100
old_classes = num_classes // 2  # the old model and its side-information see the first n classes, in folder order
image_size = 64
num_workers = 2

normalization = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
image_preprocessor = dict(normalization, type='ClsDataPreprocessor', num_classes=num_classes)
two_views_preprocessor = dict(normalization, type='SelfSupDataPreprocessor')
# Antialiased, as photographs shrink a lot.
augmentation = [
    dict(type='RandomResizedCrop', scale=image_size, crop_ratio_range=(0.3, 1.0), backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3),
]
train_pipeline = [dict(type='LoadImageFromFile'), *augmentation, dict(type='PackInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=image_size * 8 // 7, edge='short', backend='pillow'),
    dict(type='CenterCrop', crop_size=image_size),
    dict(type='PackInputs'),
]
two_views_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='MultiView', num_views=2, transforms=[augmentation]),
    dict(type='PackInputs'),
]

images = dict(type='CustomDataset', data_root=data_root, with_label=True)
train_set = dict(images, data_prefix='train', pipeline=train_pipeline)
test_set = dict(images, data_prefix='val', pipeline=test_pipeline)
two_views_set = dict(train_set, pipeline=two_views_pipeline)
