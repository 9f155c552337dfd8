"""Omniglot: 242 characters of 8 alphabets, 20 drawings each; train and test share characters, but not drawers."""

data_root = 'data/omniglot'
data_hint = 'configs/fct/README.md says where it is; for another place `--cfg-options data_root=...`'
train_drawers = (1, 14)
test_drawers = (15, 20)
num_classes = 242
image_size = 32

normalization = dict(mean=[25.0], std=[60.0], to_rgb=False)
image_preprocessor = dict(normalization, type='ClsDataPreprocessor', num_classes=num_classes)
two_views_preprocessor = dict(normalization, type='SelfSupDataPreprocessor')
augmentation = [
    dict(type='RandomResizedCrop', scale=image_size, crop_ratio_range=(0.5, 1.0), aspect_ratio_range=(0.8, 1.25)),
]
train_pipeline = [*augmentation, dict(type='PackInputs')]
test_pipeline = [dict(type='PackInputs')]
two_views_pipeline = [dict(type='MultiView', num_views=2, transforms=[augmentation]), dict(type='PackInputs')]

images = dict(type='mmfct.Omniglot', data_root=data_root, image_size=image_size)
train_set = dict(images, drawers=train_drawers, pipeline=train_pipeline)
test_set = dict(images, drawers=test_drawers, pipeline=test_pipeline, test_mode=True)
two_views_set = dict(train_set, pipeline=two_views_pipeline)
