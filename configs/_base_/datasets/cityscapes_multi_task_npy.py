"""CityScapes as MTAN pre-processed it, 128x256: the data and the augmentation of the published two-task numbers."""

data_root = 'data/cityscapes_npy'
num_classes = 7
image_size = (128, 256)
batch_size = 8
num_workers = 4

# The network of the published protocol gets RGB from 0 to 1.
image_preprocessor = dict(
    type='SegDataPreProcessor', mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0], bgr_to_rgb=True, size=image_size
)
train_set = dict(
    type='mmfct.CityscapesMultiTask', data_root=data_root, layout='npy', split='train', num_classes=num_classes
)
val_set = dict(train_set, split='val', test_mode=True)
loading = [
    dict(type='mmfct.LoadNpyImage', to_float32=True),
    dict(type='mmfct.LoadLabelMap'),
    dict(type='mmfct.LoadDisparity', target='inverse_depth'),
]
packing = dict(
    type='PackSegInputs',
    meta_keys=('img_path', 'seg_map_path', 'depth_map_path', 'sample_idx', 'ori_shape', 'img_shape'),
)
train_pipeline = [
    *loading,
    dict(type='mmfct.RandomZoomCrop', scales=(1.0, 1.2, 1.5), scale_depth='published'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    packing,
]
val_pipeline = [*loading, packing]
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
