"""Small classifiers: SGD with a one-cycle rate."""

_base_ = '../default_runtime.py'

seed = 0
epochs = 30
warmup_epochs = 0.1 * epochs
learning_rate = 0.8

train_dataloader = dict(batch_size=64, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True))
optim_wrapper = dict(optimizer=dict(type='SGD', lr=learning_rate, momentum=0.9, weight_decay=5e-4, nesterov=True))
warm_up = dict(type='LinearLR', start_factor=0.1, end=warmup_epochs, by_epoch=True, convert_to_iter_based=True)
cosine = dict(
    type='CosineAnnealingLR',
    begin=warmup_epochs,
    T_max=epochs - warmup_epochs,
    end=epochs,
    by_epoch=True,
    convert_to_iter_based=True,
)
# mmengine refuses a scheduler without a step.
param_scheduler = [warm_up, cosine] if warmup_epochs else [cosine]
train_cfg = dict(by_epoch=True, max_epochs=epochs)
