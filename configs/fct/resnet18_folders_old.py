"""The old embedding model, trained on the first half of the classes; its classifier has outputs for all."""

_base_ = './resnet18_folders_new.py'

old_set = dict(type='mmfct.ClassSubset', num_classes=_base_.old_classes, dataset=_base_.train_set)
train_dataloader = dict(dataset=dict(old_set, _delete_=True))
randomness = dict(seed=10 * _base_.seed + 0)  # each stage has its own seed
