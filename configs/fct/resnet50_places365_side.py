"""Side-information by SimCLR on the images of the first 182 classes, without their labels."""

_base_ = ['../_base_/datasets/places365.py', '../_base_/models/resnet50.py', '../_base_/schedules/simclr_lars.py']

model = dict(_base_.simclr, _delete_=True, data_preprocessor=_base_.two_views_preprocessor)
side_set = dict(type='mmfct.ClassSubset', num_classes=_base_.old_classes, dataset=_base_.two_views_set)
train_dataloader = dict(num_workers=_base_.num_workers, dataset=side_set)
randomness = dict(seed=10 * _base_.seed + 1)  # each stage has its own seed
