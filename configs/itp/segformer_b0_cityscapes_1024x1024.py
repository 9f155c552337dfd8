"""Segmentation and inverse depth on CityScapes as it is distributed, with a transformer.

mmseg's SegFormer-B0 and its recipe: 19 classes, crops of 1024x1024, 160,000 iterations of 8 GPUs x 1 image, sliding
windows. It has not been run on the real data here.
"""

_base_ = [
    '../_base_/datasets/cityscapes_multi_task_full_size.py',
    '../_base_/models/segformer_b0_multi_task.py',
    '../_base_/schedules/segformer_adamw_160k.py',
    '../_base_/seg_depth_tasks.py',
    '../_base_/default_runtime_seg_iterations.py',
]

seed = 0
weighting = 'itp'  # any name in ../_base_/task_weightings.py
tasks = ('seg', 'depth')  # one of them alone is the single-task model
inference = 'slide'  # or 'whole'
crop_size = (1024, 1024)
batch_size = 1  # per GPU
log_variance_lr = 1e-3  # of uncertainty weighting and the shared part of ITP; not tuned
work_dir = f'work_dirs/segformer_b0_cityscapes_1024x1024_{weighting}'

seg_head = dict(_base_.task_head, num_classes=_base_.num_classes, loss_decode=_base_.seg_loss)
all_tasks = dict(
    seg=dict(_base_.seg_task, head=seg_head),
    depth=dict(_base_.depth_task, head=dict(_base_.task_head, num_classes=1)),
)
windows = dict(mode='slide', crop_size=crop_size, stride=tuple(3 * side // 4 for side in crop_size))
model = dict(
    type='mmfct.MultiTaskSegmentor',
    data_preprocessor=dict(_base_.image_preprocessor, size=crop_size),  # images that are smaller are padded
    backbone=_base_.transformer,
    tasks={task: all_tasks[task] for task in tasks},
    weighting=_base_.weightings[weighting],
    test_cfg=dict(whole=dict(mode='whole'), slide=windows)[inference],
)
custom_hooks = _base_.weighting_hooks.get(weighting, [])

train_pipeline = [
    dict(step, crop_size=crop_size) if step['type'] == 'RandomCrop' else step for step in _base_.train_pipeline
]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
val_evaluator = [_base_.evaluators[task] for task in tasks]
test_evaluator = val_evaluator

own_rates = dict(weighting=dict(lr_mult=log_variance_lr / _base_.learning_rate, decay_mult=0))
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=own_rates if weighting in _base_.learned_weightings else {}),
)
randomness = dict(seed=seed)
