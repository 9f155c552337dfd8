"""Stage 1: the old embedding model, a classifier that knows a part of the labels."""

_base_ = [
    '../_base_/datasets/grocery.py',
    '../_base_/models/resnet10_rgb.py',
    '../_base_/schedules/classifier_sgd.py',
    '../_base_/default_runtime.py',
]

seed = 0
setting = 'half'  # the old model knows: 'half' or a 'tenth' of the products, or 'coarse' labels (coarse products)
labels = 'coarse' if setting == 'coarse' else 'fine'
num_seen = dict(half=40, tenth=8, coarse=43)[setting]
repeats = dict(half=2, tenth=10, coarse=1)[setting]  # at least as many iterations as the new model

model = dict(
    _base_.classifier,
    head=dict(_base_.classifier.head, num_classes=num_seen),
    data_preprocessor=_base_.image_preprocessor,
)
optim_wrapper = dict(optimizer=dict(lr=0.2))
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(
        type='RepeatDataset',
        times=repeats,
        dataset=dict(
            type='mmfct.ClassSubset',
            num_classes=num_seen,
            dataset=dict(_base_.train_set, labels=labels, pipeline=_base_.train_pipeline),
        ),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
randomness = dict(seed=10 * seed + 0)  # each stage draws weights of its own
