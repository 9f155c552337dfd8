"""SimCLR's recipe as in mmpretrain: LARS, batch 4096, 200 epochs."""

_base_ = '../default_runtime.py'

seed = 0
side_epochs = 200
warmup_epochs = 10
batch_size = 512  # per GPU, for 8 GPUs

train_dataloader = dict(
    batch_size=batch_size,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
)
optim_wrapper = dict(
    optimizer=dict(type='LARS', lr=4.8, momentum=0.9, weight_decay=1e-6),
    paramwise_cfg=dict(
        custom_keys={
            'bn': dict(decay_mult=0, lars_exclude=True),
            'bias': dict(decay_mult=0, lars_exclude=True),
            'downsample.1': dict(decay_mult=0, lars_exclude=True),
        }
    ),
)
warm_up = dict(
    type='LinearLR',
    start_factor=1e-4,
    begin=0,
    end=warmup_epochs,
    by_epoch=True,
    convert_to_iter_based=True,
)
cosine = dict(
    type='CosineAnnealingLR',
    T_max=side_epochs - warmup_epochs,
    begin=warmup_epochs,
    end=side_epochs,
    by_epoch=True,
)
# mmengine refuses a scheduler without a step.
param_scheduler = [warm_up, cosine] if warmup_epochs else [cosine]
train_cfg = dict(by_epoch=True, max_epochs=side_epochs)
auto_scale_lr = dict(base_batch_size=4096)
sync_bn = 'torch'  # statistics over the batch of all GPUs
