"""Grocery Store: 81 products (43 coarse), photographed on shelves; the official train and test images."""

data_root = 'data/grocery'
train_split = 'train'
test_split = 'test'
num_classes = 81
image_size = 48

normalization = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
image_preprocessor = dict(normalization, type='ClsDataPreprocessor', num_classes=num_classes)
train_set = dict(type='mmfct.GroceryStore', data_root=data_root, split=train_split, image_size=image_size + 6)
test_set = dict(type='mmfct.GroceryStore', data_root=data_root, split=test_split, image_size=image_size + 6)
crop_and_flip = [
    dict(type='RandomResizedCrop', scale=image_size, crop_ratio_range=(0.3, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
train_pipeline = [
    *crop_and_flip,
    dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='CenterCrop', crop_size=image_size), dict(type='PackInputs')]
two_views_pipeline = [
    dict(
        type='MultiView',
        num_views=2,
        transforms=[
            [
                *crop_and_flip,
                dict(
                    type='RandomApply',
                    transforms=[dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)],
                    prob=0.8,
                ),
                dict(type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.2989)),
            ]
        ],
    ),
    dict(type='PackInputs'),
]
