"""The new embedding model of another architecture: a small vision transformer of all 1000 classes."""

_base_ = ['../_base_/datasets/imagenet.py', '../_base_/models/vit_small.py', '../_base_/schedules/classifier_adamw.py']

head = dict(_base_.vit_classifier.head, num_classes=_base_.num_classes)
model = dict(_base_.vit_classifier, head=head, data_preprocessor=_base_.image_preprocessor)
train_dataloader = dict(num_workers=_base_.num_workers, dataset=_base_.train_set)
randomness = dict(seed=10 * _base_.seed + 3)  # each stage has its own seed
