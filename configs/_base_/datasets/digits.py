"""The 1,797 handwritten digits that scikit-learn carries; nothing to download."""

num_classes = 10
old_classes = 5  # the old model and its side-information see digits 0 to 4
image_size = 16

normalization = dict(mean=[78.0], std=[96.0], to_rgb=False)
image_preprocessor = dict(normalization, type='ClsDataPreprocessor', num_classes=num_classes)
two_views_preprocessor = dict(normalization, type='SelfSupDataPreprocessor')
augmentation = [
    dict(type='RandomResizedCrop', scale=image_size, crop_ratio_range=(0.6, 1.0), aspect_ratio_range=(0.8, 1.25)),
]
train_pipeline = [*augmentation, dict(type='PackInputs')]
test_pipeline = [dict(type='PackInputs')]
two_views_pipeline = [dict(type='MultiView', num_views=2, transforms=[augmentation]), dict(type='PackInputs')]

train_set = dict(type='mmfct.Digits', split='train', image_size=image_size, pipeline=train_pipeline)
test_set = dict(type='mmfct.Digits', split='test', image_size=image_size, pipeline=test_pipeline, test_mode=True)
two_views_set = dict(train_set, pipeline=two_views_pipeline)
