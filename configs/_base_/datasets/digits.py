"""The 1,797 handwritten digits that scikit-learn carries; nothing to download."""

num_classes = 10
image_size = 16

normalization = dict(mean=[78.0], std=[96.0], to_rgb=False)
image_preprocessor = dict(normalization, type='ClsDataPreprocessor', num_classes=num_classes)
train_set = dict(type='mmfct.Digits', split='train', image_size=image_size)
test_set = dict(type='mmfct.Digits', split='test', image_size=image_size)
augmentation = [
    dict(type='RandomResizedCrop', scale=image_size, crop_ratio_range=(0.6, 1.0), aspect_ratio_range=(0.8, 1.25)),
]
train_pipeline = [*augmentation, dict(type='PackInputs')]
test_pipeline = [dict(type='PackInputs')]
two_views_pipeline = [dict(type='MultiView', num_views=2, transforms=[augmentation]), dict(type='PackInputs')]
