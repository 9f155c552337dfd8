"""CIFAR-100 at its own 32 pixels: padded by 4 and cropped, flipped, and normalised as CIFAR-10 often is."""

data_root = 'data/cifar100'
num_classes = 100
image_size = 32
num_workers = 4

normalization = dict(mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255], to_rgb=False)
image_preprocessor = dict(normalization, type='ClsDataPreprocessor', num_classes=num_classes)
train_pipeline = [
    dict(type='RandomCrop', crop_size=image_size, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]

train_set = dict(type='CIFAR100', data_root=data_root, split='train', pipeline=train_pipeline)
test_set = dict(type='CIFAR100', data_root=data_root, split='test', pipeline=test_pipeline)
