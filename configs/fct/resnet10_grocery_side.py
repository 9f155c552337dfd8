"""Side-information by SimCLR, from images without their labels."""

_base_ = ['../_base_/datasets/grocery.py', '../_base_/models/resnet10_rgb.py', '../_base_/schedules/simclr_sgd.py']

side_classes = 40  # images of the first n products, without their labels
# 2,340 iterations on the images of 40 products, 1,830 on all; without repeats 330, far too few for SimCLR.
repeats = round(270 / side_classes)

model = dict(_base_.simclr, _delete_=True, data_preprocessor=_base_.two_views_preprocessor)
side_set = dict(type='mmfct.ClassSubset', num_classes=side_classes, dataset=_base_.two_views_set)
train_dataloader = dict(dataset=dict(type='RepeatDataset', times=repeats, dataset=side_set))
randomness = dict(seed=10 * _base_.seed + 1)  # each stage has its own seed
