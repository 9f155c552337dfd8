"""The old embedding model: a ResNet-18 trained on the first 863 identities with ArcFace."""

_base_ = './resnet50_vggface2_new.py'

old_depth = 18
model = dict(backbone=dict(depth=old_depth))
old_set = dict(type='mmfct.ClassSubset', num_classes=_base_.old_classes, dataset=_base_.train_set)
train_dataloader = dict(dataset=dict(old_set, _delete_=True))
randomness = dict(seed=10 * _base_.seed + 0)  # each stage has its own seed
