"""Side-information by SimCLR, from images without their labels."""

_base_ = ['../_base_/datasets/omniglot.py', '../_base_/models/resnet10_gray.py', '../_base_/schedules/simclr_sgd.py']

side_classes = 121  # images of the first n characters, without their labels

model = dict(_base_.simclr, _delete_=True, data_preprocessor=_base_.two_views_preprocessor)
side_set = dict(type='mmfct.ClassSubset', num_classes=side_classes, dataset=_base_.two_views_set)
train_dataloader = dict(dataset=side_set)
randomness = dict(seed=10 * _base_.seed + 1)  # each stage has its own seed
