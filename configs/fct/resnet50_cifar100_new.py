"""The new embedding model: a classifier of all 100 classes, trained normally."""

_base_ = ['../_base_/datasets/cifar100.py', '../_base_/models/resnet50.py', '../_base_/schedules/classifier_paper.py']

model = dict(head=dict(num_classes=_base_.num_classes), data_preprocessor=_base_.image_preprocessor)
train_dataloader = dict(num_workers=_base_.num_workers, dataset=_base_.train_set)
randomness = dict(seed=10 * _base_.seed + 3)  # each stage has its own seed
