"""Any folder in the ImageNet format (train/<class>/*, val/<class>/*); classes are numbered in folder order."""

data_root = 'data/imagenet'
num_classes = 1000
old_classes = 500  # the old model and its side-information see the first n classes
image_size = 224
num_workers = 8

normalization = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
image_preprocessor = dict(normalization, type='ClsDataPreprocessor', num_classes=num_classes)
two_views_preprocessor = dict(normalization, type='SelfSupDataPreprocessor')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=image_size),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=image_size * 8 // 7, edge='short'),
    dict(type='CenterCrop', crop_size=image_size),
    dict(type='PackInputs'),
]
two_views_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='MultiView',
        num_views=2,
        transforms=[
            [
                dict(type='RandomResizedCrop', scale=image_size, backend='pillow'),
                dict(type='RandomFlip', prob=0.5),
                dict(
                    type='RandomApply',
                    transforms=[dict(type='ColorJitter', brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)],
                    prob=0.8,
                ),
                dict(type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.2989)),
                dict(type='GaussianBlur', magnitude_range=(0.1, 2.0), magnitude_std='inf', prob=0.5),
            ]
        ],
    ),
    dict(type='PackInputs'),
]

images = dict(type='CustomDataset', data_root=data_root, with_label=True)
train_set = dict(images, data_prefix='train', pipeline=train_pipeline)
test_set = dict(images, data_prefix='val', pipeline=test_pipeline)
two_views_set = dict(train_set, pipeline=two_views_pipeline)
