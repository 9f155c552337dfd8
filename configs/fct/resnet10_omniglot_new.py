"""The new embedding model: a classifier of all characters, trained normally."""

_base_ = [
    '../_base_/datasets/omniglot.py',
    '../_base_/models/resnet10_gray.py',
    '../_base_/schedules/classifier_sgd.py',
]

model = dict(head=dict(num_classes=_base_.num_classes), data_preprocessor=_base_.image_preprocessor)
train_dataloader = dict(dataset=_base_.train_set)
randomness = dict(seed=10 * _base_.seed + 3)  # each stage has its own seed
