"""Stage 2: side-information by SimCLR on the old digits, without their labels."""

_base_ = [
    '../_base_/datasets/digits.py',
    '../_base_/models/resnet10_gray.py',
    '../_base_/schedules/simclr_sgd.py',
    '../_base_/default_runtime.py',
]

seed = 0
old_classes = 5

model = dict(_base_.simclr, data_preprocessor=dict(_base_.normalization, type='SelfSupDataPreprocessor'))
train_dataloader = dict(
    batch_size=128,
    num_workers=0,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmfct.ClassSubset',
        num_classes=old_classes,
        dataset=dict(_base_.train_set, pipeline=_base_.two_views_pipeline),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
randomness = dict(seed=10 * seed + 1)  # each stage draws weights of its own
