"""Stage 2: side-information by SimCLR, from images without their labels."""

_base_ = [
    '../_base_/datasets/grocery.py',
    '../_base_/models/resnet10_rgb.py',
    '../_base_/schedules/simclr_sgd.py',
    '../_base_/default_runtime.py',
]

seed = 0
side_classes = 40  # the images of the first so many products; no label is used
# 2,340 iterations on the images of 40 products, 1,830 on all: 330, 30 plain epochs, are far too few for SimCLR.
repeats = round(270 / side_classes)

model = dict(_base_.simclr, data_preprocessor=dict(_base_.normalization, type='SelfSupDataPreprocessor'))
train_dataloader = dict(
    batch_size=128,
    num_workers=0,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='RepeatDataset',
        times=repeats,
        dataset=dict(
            type='mmfct.ClassSubset',
            num_classes=side_classes,
            dataset=dict(_base_.train_set, pipeline=_base_.two_views_pipeline),
        ),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
randomness = dict(seed=10 * seed + 1)  # each stage draws weights of its own
