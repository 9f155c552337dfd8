"""Human pose and shape, depth and body parts on SURREAL, with a learned weight per training frame and task.

ResNet-50 with weights of ImageNet, crops of 256x256, every tenth frame for training, the middle frame of each clip for
the evaluation. The recipe is this project's; it has not been run on the real data here.
"""

_base_ = [
    '../_base_/datasets/surreal.py',
    '../_base_/models/resnet50_surreal.py',
    '../_base_/surreal_tasks.py',
    '../_base_/default_runtime_seg.py',
]

seed = 0
weighting = 'itp'  # any name in ../_base_/task_weightings.py
tasks = ('pose', 'depth', 'parts')  # one of them alone is the single-task model
corrupted_pose = 0.0  # share of the training frames whose poses and shapes are permuted among them
corrupted_depth = 0.0
corrupted_parts = 0.0
only_clean = False  # leave out the frames with a wrong label: an oracle
epochs = 30
learning_rate = 3e-4
log_variance_lr = 3e-3  # of uncertainty weighting and the shared part of ITP
work_dir = f'work_dirs/resnet50_surreal_{weighting}'

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
loader = dict(batch_size=_base_.batch_size, num_workers=_base_.num_workers, persistent_workers=_base_.num_workers > 0)
train_dataloader = dict(
    loader,
    drop_last=True,
    dataset=dict(type='mmfct.CleanInstances', dataset=training_frames) if only_clean else training_frames,
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(
    loader,
    dataset=dict(_base_.val_set, pipeline=_base_.val_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = dict(val_dataloader, dataset=dict(_base_.test_set, pipeline=_base_.val_pipeline))
val_evaluator = [_base_.evaluators[task] for task in tasks]
test_evaluator = val_evaluator

own_rates = dict(weighting=dict(lr_mult=log_variance_lr / learning_rate, decay_mult=0))
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=learning_rate, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=own_rates if weighting in _base_.learned_weightings else {}),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=1000, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=epochs, end=epochs, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=5)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=_base_.batch_size)
randomness = dict(seed=seed)
