"""The old embedding model: a classifier that knows only a part of the labels."""

_base_ = './resnet10_grocery_new.py'

setting = 'half'  # the old model knows: 'half' or a 'tenth' of the products, or 'coarse' labels (coarse products)
labels = 'coarse' if setting == 'coarse' else 'fine'
num_seen = dict(half=40, tenth=8, coarse=43)[setting]
repeats = dict(half=2, tenth=10, coarse=1)[setting]  # at least as many iterations as the new model

model = dict(head=dict(num_classes=num_seen))
old_set = dict(type='mmfct.ClassSubset', num_classes=num_seen, dataset=dict(_base_.train_set, labels=labels))
train_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', times=repeats, dataset=old_set))
randomness = dict(seed=10 * _base_.seed + 0)  # each stage has its own seed
