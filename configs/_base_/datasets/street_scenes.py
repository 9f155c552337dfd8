"""Rendered street scenes in CityScapes' folders (tools/render_street_scenes.py)."""

data_root = 'data/street_scenes'
data_hint = 'make it with `python tools/render_street_scenes.py data/street_scenes`'
num_classes = 7
batch_size = 32
num_workers = 2

image_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size_divisor=1,  # whatever size they were rendered in
)
train_set = dict(type='mmfct.CityscapesMultiTask', data_root=data_root, split='train', num_classes=num_classes)
val_set = dict(train_set, split='val', test_mode=True)
loading = [
    dict(type='LoadImageFromFile'),
    dict(type='mmfct.LoadLabelMap'),
    dict(type='mmfct.LoadDisparity', target='inverse_depth'),
]
packing = dict(
    type='PackSegInputs',
    meta_keys=('img_path', 'seg_map_path', 'depth_map_path', 'sample_idx', 'ori_shape', 'img_shape'),
)
train_pipeline = [*loading, dict(type='RandomFlip', prob=0.5, direction='horizontal'), packing]
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
