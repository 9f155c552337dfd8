"""Segmentation and inverse depth on CityScapes as it is distributed, with the weighting of your choice.

mmseg's DeepLabv3+ and its recipe: 19 classes, crops of 512x1024, 40,000 iterations of 4 GPUs x 2 images. It has not
been run on the real data here.
"""

_base_ = [
    '../_base_/datasets/cityscapes_multi_task_full_size.py',
    '../_base_/models/deeplabv3plus_r50_multi_task.py',
    '../_base_/schedules/dense_sgd_40k.py',
    '../_base_/seg_depth_tasks.py',
    '../_base_/default_runtime_seg_iterations.py',
]

seed = 0
weighting = 'itp'  # any name in ../_base_/task_weightings.py
tasks = ('seg', 'depth')  # one of them alone is the single-task model
inference = 'whole'  # or 'slide': the mean over overlapping crops
crop_size = (512, 1024)
log_variance_lr = 0.01  # of uncertainty weighting and the shared part of ITP; not tuned
work_dir = f'work_dirs/deeplabv3plus_r50_cityscapes_512x1024_{weighting}'

seg_head = dict(_base_.task_head, num_classes=_base_.num_classes, loss_decode=_base_.seg_loss)
auxiliary_head = dict(num_classes=_base_.num_classes, loss_decode=dict(_base_.seg_loss, loss_weight=0.4))
all_tasks = dict(
    seg=dict(_base_.seg_task, head=seg_head, auxiliary_head=dict(_base_.auxiliary_head, **auxiliary_head)),
    depth=dict(_base_.depth_task, head=dict(_base_.task_head, num_classes=1)),
)
windows = dict(mode='slide', crop_size=crop_size, stride=tuple(3 * side // 4 for side in crop_size))
model = dict(
    type='mmfct.MultiTaskSegmentor',
    data_preprocessor=_base_.image_preprocessor,
    backbone=_base_.resnet,
    tasks={task: all_tasks[task] for task in tasks},
    weighting=_base_.weightings[weighting],
    test_cfg=dict(whole=dict(mode='whole'), slide=windows)[inference],
)
custom_hooks = _base_.weighting_hooks.get(weighting, [])

val_evaluator = [_base_.evaluators[task] for task in tasks]
test_evaluator = val_evaluator

own_rates = dict(weighting=dict(lr_mult=log_variance_lr / _base_.learning_rate, decay_mult=0))
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=own_rates if weighting in _base_.learned_weightings else {}),
)
randomness = dict(seed=seed)
