"""Stage 1: the old embedding model, a classifier of the first five digits."""

_base_ = [
    '../_base_/datasets/digits.py',
    '../_base_/models/resnet10_gray.py',
    '../_base_/schedules/classifier_sgd.py',
    '../_base_/default_runtime.py',
]

seed = 0
old_classes = 5  # the old model knows digits 0 to 4

model = dict(
    _base_.classifier,
    head=dict(_base_.classifier.head, num_classes=_base_.num_classes),
    data_preprocessor=_base_.image_preprocessor,
)
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(
        type='mmfct.ClassSubset',
        num_classes=old_classes,
        dataset=dict(_base_.train_set, pipeline=_base_.train_pipeline),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
randomness = dict(seed=10 * seed + 0)  # each stage draws weights of its own
