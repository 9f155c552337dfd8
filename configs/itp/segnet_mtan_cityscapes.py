"""Segmentation and inverse depth on CityScapes by the protocol of CAGrad, Nash-MTL and FAMO.

SegNet with multi-task attention, 7 classes, images of 128x256 as MTAN pre-processed them, zoomed, cropped and flipped
at random, 200 epochs of 8 images a batch, Adam; the parameters of weightings have a rate of their own.
"""

_base_ = [
    '../_base_/datasets/cityscapes_multi_task_npy.py',
    '../_base_/models/segnet_mtan_multi_task.py',
    '../_base_/schedules/multi_task_adam.py',
    '../_base_/seg_depth_tasks.py',
    '../_base_/default_runtime_seg.py',
]

seed = 0
weighting = 'itp'  # any name in ../_base_/task_weightings.py
tasks = ('seg', 'depth')  # one of them alone is the single-task model
batch_size = 8
log_variance_lr = 0.025  # of uncertainty weighting and the shared part of ITP
work_dir = f'work_dirs/segnet_mtan_cityscapes_{weighting}'

seg_head = dict(_base_.task_head, num_classes=_base_.num_classes, loss_decode=_base_.seg_loss)
all_tasks = dict(
    seg=dict(_base_.seg_task, head=seg_head),
    depth=dict(_base_.depth_task, head=dict(_base_.task_head, num_classes=1)),
)
model = dict(
    type='mmfct.MultiTaskSegmentor',
    data_preprocessor=_base_.image_preprocessor,
    backbone=dict(_base_.segnet, num_tasks=len(tasks)),
    tasks={
        task: dict(all_tasks[task], head=dict(all_tasks[task]['head'], in_index=index))
        for index, task in enumerate(tasks)
    },
    weighting=_base_.weightings[weighting],
)
custom_hooks = _base_.weighting_hooks.get(weighting, [])

train_dataloader = dict(batch_size=batch_size)
val_dataloader = dict(batch_size=batch_size)
test_dataloader = dict(batch_size=batch_size)
val_evaluator = [_base_.evaluators[task] for task in tasks]
test_evaluator = val_evaluator

own_rates = dict(weighting=dict(lr_mult=log_variance_lr / _base_.learning_rate, decay_mult=0))
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=own_rates if weighting in _base_.learned_weightings else {}),
)
auto_scale_lr = dict(base_batch_size=batch_size)
randomness = dict(seed=seed)
