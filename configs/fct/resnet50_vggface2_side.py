"""Stage 2: side-information by SimCLR on the images of the first 863 identities, without their labels."""

_base_ = [
    '../_base_/datasets/vggface2.py',
    '../_base_/models/resnet50.py',
    '../_base_/schedules/simclr_lars.py',
    '../_base_/default_runtime.py',
]

seed = 0

model = dict(_base_.simclr, data_preprocessor=dict(_base_.normalization, type='SelfSupDataPreprocessor'))
train_dataloader = dict(
    batch_size=_base_.batch_size,
    num_workers=_base_.num_workers,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmfct.ClassSubset',
        num_classes=_base_.old_classes,
        dataset=dict(_base_.train_set, pipeline=_base_.two_views_pipeline),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
sync_bn = 'torch'  # statistics over the batch of all GPUs
randomness = dict(seed=10 * seed + 1)  # each stage draws weights of its own
