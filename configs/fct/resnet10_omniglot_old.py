"""The old embedding model: a classifier that knows only a part of the labels."""

_base_ = './resnet10_omniglot_new.py'

setting = 'half'  # the old model knows: 'half' or a 'tenth' of the characters, or 'coarse' labels (alphabets)
labels = 'alphabet' if setting == 'coarse' else 'character'
num_seen = dict(half=121, tenth=24, coarse=8)[setting]
repeats = dict(half=2, tenth=10, coarse=1)[setting]  # as many iterations as the new model

model = dict(head=dict(num_classes=num_seen))
old_set = dict(type='mmfct.ClassSubset', num_classes=num_seen, dataset=dict(_base_.train_set, labels=labels))
train_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', times=repeats, dataset=old_set))
randomness = dict(seed=10 * _base_.seed + 0)  # each stage has its own seed
