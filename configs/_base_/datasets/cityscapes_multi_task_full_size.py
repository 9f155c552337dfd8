"""CityScapes as it is distributed: 19 classes and inverse depth in 1 / metre, crops of images of 1024x2048.

Transforms as in mmseg's recipe. An image that is resized by s shows a scene that is s times nearer, and its inverse
depths are those of that scene (mmfct.ZoomDepth); predictions are measured at the original size and scale.
"""

data_root = 'data/cityscapes'
num_classes = 19
label_ids = None  # of your own label maps: 'classes' for 0, 1, ... or a dict of class by id
image_size = (1024, 2048)
crop_size = (512, 1024)
ratio_range = (0.5, 2.0)
tta_scales = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
batch_size = 2  # per GPU
num_workers = 4

image_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size=crop_size,
    pad_val=0,
    seg_pad_val=255,
)
train_set = dict(
    type='mmfct.CityscapesMultiTask', data_root=data_root, split='train', num_classes=num_classes, label_ids=label_ids
)
val_set = dict(train_set, split='val', test_mode=True)
load_labels = [dict(type='mmfct.LoadLabelMap'), dict(type='mmfct.LoadDisparity', target='inverse_depth')]
packing = dict(
    type='PackSegInputs',
    meta_keys=(
        'img_path',
        'seg_map_path',
        'depth_map_path',
        'sample_idx',
        'ori_shape',
        'img_shape',
        'flip',
        'flip_direction',
        'zoom',
        'depth_target',
    ),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    *load_labels,
    dict(type='RandomResize', scale=image_size[::-1], ratio_range=ratio_range, keep_ratio=True),
    dict(type='mmfct.ZoomDepth'),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PhotoMetricDistortion'),
    packing,
]
val_pipeline = [dict(type='LoadImageFromFile'), *load_labels, packing]
test_pipeline = [dict(type='LoadImageFromFile'), packing]  # of mmseg's init_model: new images have no labels
views = [
    [dict(type='Resize', scale_factor=float(scale), keep_ratio=True) for scale in tta_scales],
    [dict(type='mmfct.ZoomDepth')],
    [dict(type='RandomFlip', prob=float(prob), direction='horizontal') for prob in (0, 1)],
    *[[step] for step in (*load_labels, packing)],
]
tta_pipeline = [dict(type='LoadImageFromFile'), dict(type='TestTimeAug', transforms=views)]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    dataset=dict(train_set, pipeline=train_pipeline),
    sampler=dict(type='InfiniteSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    dataset=dict(val_set, pipeline=val_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = val_dataloader
