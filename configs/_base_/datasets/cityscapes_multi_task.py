"""CityScapes from its own folders, 7 categories and inverse depth in 1 / metre, at 128x256."""

data_root = 'data/cityscapes'
num_classes = 7
label_ids = None  # of your own label maps: 'classes' for 0, 1, ... or a dict of class by id
image_size = (128, 256)
batch_size = 8
num_workers = 4

image_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size=image_size,
)
train_set = dict(
    type='mmfct.CityscapesMultiTask', data_root=data_root, split='train', num_classes=num_classes, label_ids=label_ids
)
val_set = dict(train_set, split='val', test_mode=True)
loading = [
    dict(type='LoadImageFromFile'),
    dict(type='mmfct.LoadLabelMap'),
    dict(type='mmfct.LoadDisparity', target='inverse_depth'),
    dict(type='mmfct.ResizeWithMaps', size=image_size),
]
packing = dict(
    type='PackSegInputs',
    meta_keys=('img_path', 'seg_map_path', 'depth_map_path', 'sample_idx', 'ori_shape', 'img_shape'),
)
train_pipeline = [
    *loading,
    dict(type='mmfct.RandomZoomCrop', scales=(1.0, 1.2, 1.5)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    packing,
]
val_pipeline = [*loading, packing]
test_pipeline = [dict(type='LoadImageFromFile'), packing]  # of mmseg's init_model: new images have no labels
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    dataset=dict(train_set, pipeline=train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    dataset=dict(val_set, pipeline=val_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='IoUMetric', iou_metrics=['mIoU']), dict(type='mmfct.DepthErrorMetric')]
test_evaluator = val_evaluator
