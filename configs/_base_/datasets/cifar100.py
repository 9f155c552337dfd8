"""CIFAR-100 as the FCT reference uses it: resized to 224 pixels, flipped, normalised as ImageNet."""

data_root = 'data/cifar100'
num_classes = 100
old_classes = 50  # the old model and its side-information see the first n classes
image_size = 224
num_workers = 8

normalization = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=False)
image_preprocessor = dict(normalization, type='ClsDataPreprocessor', num_classes=num_classes)
two_views_preprocessor = dict(normalization, type='SelfSupDataPreprocessor')
train_pipeline = [
    dict(type='Resize', scale=image_size),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='Resize', scale=image_size), dict(type='PackInputs')]
two_views_pipeline = [
    dict(
        type='MultiView',
        num_views=2,
        transforms=[
            [
                dict(type='RandomResizedCrop', scale=image_size),
                dict(type='RandomFlip', prob=0.5),
                dict(
                    type='RandomApply',
                    transforms=[dict(type='ColorJitter', brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)],
                    prob=0.8,
                ),
                dict(type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.2989, 0.587, 0.114)),
            ]
        ],
    ),
    dict(type='PackInputs'),
]

train_set = dict(type='CIFAR100', data_root=data_root, split='train', pipeline=train_pipeline)
test_set = dict(type='CIFAR100', data_root=data_root, split='test', pipeline=test_pipeline)
two_views_set = dict(train_set, pipeline=two_views_pipeline)
