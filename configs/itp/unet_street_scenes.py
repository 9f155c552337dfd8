"""Segmentation and inverse depth on rendered street scenes, with a learned weight per training image and task.

The images come from ``python tools/render_street_scenes.py data/street_scenes``.
"""

_base_ = [
    '../_base_/datasets/street_scenes.py',
    '../_base_/models/unet_multi_task.py',
    '../_base_/seg_depth_tasks.py',
    '../_base_/default_runtime_seg.py',
]

seed = 0
weighting = 'itp'
tasks = ('seg', 'depth')  # one of them alone is the single-task model
corrupted_seg = 0.0  # share of the training images whose label maps are permuted among them
corrupted_depth = 0.0  # the same of the depth maps
seg_error = 'permuted'  # or another kind of mmfct.CorruptLabels: 'half', 'mirrored', 'shifted', ...
depth_error = 'permuted'
only_clean = False  # leave out the images with a wrong map: an oracle
epochs = 30
batch_size = 8
learning_rate = 4e-3
log_variance_lr = 0.02  # of uncertainty weighting and the shared part of ITP
work_dir = 'work_dirs/unet_street_scenes'

seg_head = dict(_base_.task_head, num_classes=_base_.num_classes, loss_decode=_base_.seg_loss)
all_tasks = dict(
    seg=dict(_base_.seg_task, head=seg_head),
    depth=dict(_base_.depth_task, head=dict(_base_.task_head, num_classes=1)),
)
model = dict(
    type='mmfct.MultiTaskSegmentor',
    data_preprocessor=_base_.image_preprocessor,
    backbone=_base_.unet,
    tasks={task: all_tasks[task] for task in tasks},
    weighting=_base_.weightings[weighting],
)
custom_hooks = _base_.weighting_hooks.get(weighting, [])

shares, errors = dict(seg=corrupted_seg, depth=corrupted_depth), dict(seg=seg_error, depth=depth_error)
training_images = dict(
    type='mmfct.CorruptLabels',
    dataset=dict(_base_.train_set, pipeline=_base_.train_pipeline),
    fractions=shares,
    kinds={task: error for task, error in errors.items() if shares[task]},
    seed=seed,
)
train_dataloader = dict(
    _delete_=True,
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(type='mmfct.CleanInstances', dataset=training_images) if only_clean else training_images,
    sampler=dict(type='DefaultSampler', shuffle=True),
)
test_dataloader = dict(
    _delete_=True,
    batch_size=32,
    num_workers=0,
    dataset=dict(_base_.val_set, pipeline=_base_.val_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_dataloader = None
val_evaluator = None
test_cfg = dict()
test_evaluator = [_base_.evaluators[task] for task in tasks]

own_rates = dict(weighting=dict(lr_mult=log_variance_lr / learning_rate))
optim_wrapper = dict(
    optimizer=dict(type='Adam', lr=learning_rate),
    paramwise_cfg=dict(custom_keys=own_rates if weighting in _base_.learned_weightings else {}),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=epochs, end=epochs, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=epochs)
randomness = dict(seed=seed)
