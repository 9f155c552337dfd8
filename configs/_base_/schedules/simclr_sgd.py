"""SimCLR for small networks: SGD with a one-cycle rate."""

_base_ = '../default_runtime.py'

seed = 0
side_epochs = 30
warmup_epochs = 0.1 * side_epochs
learning_rate = 0.4

train_dataloader = dict(
    batch_size=128,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=learning_rate, momentum=0.9, weight_decay=1e-4))
warm_up = dict(type='LinearLR', start_factor=0.1, end=warmup_epochs, by_epoch=True, convert_to_iter_based=True)
cosine = dict(
    type='CosineAnnealingLR',
    begin=warmup_epochs,
    T_max=side_epochs - warmup_epochs,
    end=side_epochs,
    by_epoch=True,
    convert_to_iter_based=True,
)
# mmengine refuses a scheduler without a step.
param_scheduler = [warm_up, cosine] if warmup_epochs else [cosine]
train_cfg = dict(by_epoch=True, max_epochs=side_epochs)
