"""Segmentation and inverse depth on CityScapes by the protocol of LibMTL, with the weighting of your choice.

Dilated ResNet-50 with weights of ImageNet, two DeepLab heads, 7 classes, images of 128x256 as MTAN pre-processed them,
no augmentation, 200 epochs of 64 images a batch, Adam with weight decay 1e-5.
"""

_base_ = [
    '../_base_/datasets/cityscapes_multi_task_npy.py',
    '../_base_/models/deeplabv3_r50_multi_task.py',
    '../_base_/schedules/multi_task_adam.py',
    '../_base_/seg_depth_tasks.py',
    '../_base_/default_runtime_seg.py',
]

seed = 0
weighting = 'itp'  # any name in ../_base_/task_weightings.py
tasks = ('seg', 'depth')  # one of them alone is the single-task model
batch_size = 64
weight_decay = 1e-5
# Of uncertainty weighting and the shared part of ITP. LibMTL's is that of the network, with which Adam moves a
# log-variance by 0.7 in 200 epochs; that of depth, an error of 0.01, belongs at -9.
log_variance_lr = 0.025
work_dir = f'work_dirs/deeplabv3_r50_cityscapes_{weighting}'

seg_head = dict(_base_.task_head, num_classes=_base_.num_classes, loss_decode=_base_.seg_loss)
all_tasks = dict(
    seg=dict(_base_.seg_task, head=seg_head),
    depth=dict(_base_.depth_task, head=dict(_base_.task_head, num_classes=1)),
)
model = dict(
    type='mmfct.MultiTaskSegmentor',
    data_preprocessor=_base_.image_preprocessor,
    backbone=_base_.resnet,
    tasks={task: all_tasks[task] for task in tasks},
    weighting=_base_.weightings[weighting],
    align_corners=True,
)
custom_hooks = _base_.weighting_hooks.get(weighting, [])

train_dataloader = dict(
    batch_size=batch_size,
    drop_last=True,
    dataset=dict(pipeline=[*_base_.loading, _base_.packing]),
)
val_dataloader = dict(batch_size=batch_size)
test_dataloader = dict(batch_size=batch_size)
val_evaluator = [_base_.evaluators[task] for task in tasks]
test_evaluator = val_evaluator

own_rates = dict(weighting=dict(lr_mult=log_variance_lr / _base_.learning_rate, decay_mult=0))
optim_wrapper = dict(
    optimizer=dict(weight_decay=weight_decay),
    paramwise_cfg=dict(custom_keys=own_rates if weighting in _base_.learned_weightings else {}),
)
auto_scale_lr = dict(base_batch_size=batch_size)
randomness = dict(seed=seed)
