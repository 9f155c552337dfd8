"""Grocery Store: 81 products (43 coarse), photographed on shelves; the official train and test images."""

data_root = 'data/grocery'
data_hint = 'configs/fct/README.md says where it is; for another place `--cfg-options data_root=...`'
train_split = 'train'
test_split = 'test'
num_classes = 81
image_size = 48

normalization = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
image_preprocessor = dict(normalization, type='ClsDataPreprocessor', num_classes=num_classes)
two_views_preprocessor = dict(normalization, type='SelfSupDataPreprocessor')
# No hue jitter, no greyscale: many products differ only in colour.
augmentation = [
    dict(type='RandomResizedCrop', scale=image_size, crop_ratio_range=(0.3, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3),
]
train_pipeline = [*augmentation, dict(type='PackInputs')]
test_pipeline = [dict(type='CenterCrop', crop_size=image_size), dict(type='PackInputs')]
two_views_pipeline = [dict(type='MultiView', num_views=2, transforms=[augmentation]), dict(type='PackInputs')]
# Loads image files of any size as the data set does: for galleries from folders, and for queries.
folder_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=image_size + 6, edge='short', interpolation='area'),
    *test_pipeline,
]

images = dict(type='mmfct.GroceryStore', data_root=data_root, image_size=image_size + 6)
train_set = dict(images, split=train_split, pipeline=train_pipeline)
test_set = dict(images, split=test_split, pipeline=test_pipeline, test_mode=True)
two_views_set = dict(train_set, pipeline=two_views_pipeline)
