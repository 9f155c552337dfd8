"""The new embedding model: a classifier of all classes, trained normally."""

_base_ = [
    '../_base_/datasets/folders.py',
    '../_base_/models/resnet18_small.py',
    '../_base_/schedules/classifier_sgd.py',
]

learning_rate = 0.2

model = dict(head=dict(num_classes=_base_.num_classes), data_preprocessor=_base_.image_preprocessor)
train_dataloader = dict(num_workers=_base_.num_workers, dataset=_base_.train_set)
optim_wrapper = dict(optimizer=dict(lr=learning_rate))
randomness = dict(seed=10 * _base_.seed + 3)  # each stage has its own seed
