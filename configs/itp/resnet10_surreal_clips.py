"""Human pose and shape, depth and body parts on rendered clips, with a learned weight per training frame and task.

The clips come from ``python tools/render_surreal_clips.py data/surreal_clips``.
"""

_base_ = [
    '../_base_/datasets/surreal_clips.py',
    '../_base_/models/resnet10_surreal.py',
    '../_base_/surreal_tasks.py',
    '../_base_/default_runtime_seg.py',
]

seed = 0
weighting = 'itp_instance'  # any name in ../_base_/task_weightings.py; learned task weights are worse on these clips
tasks = ('pose', 'depth', 'parts')  # one of them alone is the single-task model
corrupted_pose = 0.0  # share of the training frames whose poses and shapes are permuted among them
corrupted_depth = 0.0
corrupted_parts = 0.0
only_clean = False  # leave out the frames with a wrong label: an oracle
epochs = 24
learning_rate = 2e-3
log_variance_lr = 0.02  # of uncertainty weighting and the shared part of ITP
work_dir = 'work_dirs/resnet10_surreal_clips'

all_tasks = dict(
    pose=dict(_base_.pose_task, **_base_.pose_head),
    depth=dict(_base_.depth_task, head=dict(_base_.map_head, num_classes=1)),
    parts=dict(_base_.parts_task, head=dict(_base_.map_head, num_classes=15, loss_decode=_base_.parts_loss)),
)
model = dict(
    type='mmfct.MultiTaskSegmentor',
    data_preprocessor=_base_.image_preprocessor,
    backbone=_base_.resnet,
    tasks={task: all_tasks[task] for task in tasks},
    weighting=_base_.weightings[weighting],
)
custom_hooks = _base_.weighting_hooks.get(weighting, [])

training_frames = dict(
    type='mmfct.CorruptLabels',
    dataset=dict(_base_.train_set, pipeline=_base_.train_pipeline),
    fractions=dict(pose=corrupted_pose, depth=corrupted_depth, parts=corrupted_parts),
    seed=seed,
)
train_dataloader = dict(
    batch_size=_base_.batch_size,
    num_workers=0,
    dataset=dict(type='mmfct.CleanInstances', dataset=training_frames) if only_clean else training_frames,
    sampler=dict(type='DefaultSampler', shuffle=True),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    dataset=dict(_base_.test_set, pipeline=_base_.test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_dataloader = None
val_evaluator = None
test_cfg = dict()
test_evaluator = [_base_.evaluators[task] for task in tasks]

own_rates = dict(weighting=dict(lr_mult=log_variance_lr / learning_rate))
optim_wrapper = dict(
    optimizer=dict(type='Adam', lr=learning_rate),
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(custom_keys=own_rates if weighting in _base_.learned_weightings else {}),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=epochs, end=epochs, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=epochs)
randomness = dict(seed=seed)
