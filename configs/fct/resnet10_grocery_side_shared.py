"""Side-information from a neck on the frozen old backbone: one network serves both, so extraction costs less."""

_base_ = [
    '../_base_/datasets/grocery.py',
    '../_base_/models/resnet10_rgb.py',
    '../_base_/schedules/simclr_neck_sgd.py',
]

setting = 'half'  # what the old model knows, see its config
side_classes = 40  # images of the first n products, without their labels
work_root = 'work_dirs'
old_checkpoint = f'{work_root}/resnet10_grocery_old_{setting}/final.pth'
prerequisites = [dict(config='resnet10_grocery_old.py', checkpoint=old_checkpoint, cfg_options=dict(setting=setting))]

old_weights = dict(type='Pretrained', checkpoint=old_checkpoint, prefix='backbone.')
model = dict(
    _base_.simclr,
    _delete_=True,
    backbone=dict(_base_.backbone, frozen_stages=4, init_cfg=old_weights),
    neck=dict(_base_.shared_neck, projector=_base_.projector),
    data_preprocessor=_base_.two_views_preprocessor,
)
side_set = dict(type='mmfct.ClassSubset', num_classes=side_classes, dataset=_base_.two_views_set)
train_dataloader = dict(dataset=side_set)
randomness = dict(seed=10 * _base_.seed + 2)  # each stage has its own seed
