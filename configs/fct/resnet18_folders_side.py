"""Side-information by SimCLR on the images of the first half of the classes, without their labels."""

_base_ = ['../_base_/datasets/folders.py', '../_base_/models/resnet18_small.py', '../_base_/schedules/simclr_sgd.py']

side_batch_size = 128

model = dict(_base_.simclr, _delete_=True, data_preprocessor=_base_.two_views_preprocessor)
side_set = dict(type='mmfct.ClassSubset', num_classes=_base_.old_classes, dataset=_base_.two_views_set)
train_dataloader = dict(batch_size=side_batch_size, num_workers=_base_.num_workers, dataset=side_set)
randomness = dict(seed=10 * _base_.seed + 1)  # each stage has its own seed
