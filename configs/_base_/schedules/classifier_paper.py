"""The recipe of old and new models (arXiv 2112.02805): batch 1024, 100 epochs, one learning rate per epoch."""

_base_ = '../default_runtime.py'

seed = 0
epochs = 100
warmup_epochs = 5
batch_size = 128  # per GPU, for 8 GPUs

train_dataloader = dict(batch_size=batch_size, sampler=dict(type='DefaultSampler', shuffle=True))
optim_wrapper = dict(optimizer=dict(type='SGD', lr=1.024, momentum=0.875, weight_decay=2**-15))
param_scheduler = [
    # Without a warm-up, `warmup_epochs=0`, there is no scheduler of it: mmengine refuses one without a step.
    *(
        [dict(type='LinearLR', start_factor=1 / warmup_epochs, begin=0, end=warmup_epochs, by_epoch=True)]
        if warmup_epochs
        else []
    ),
    dict(type='CosineAnnealingLR', T_max=epochs - warmup_epochs, begin=warmup_epochs, end=epochs, by_epoch=True),
]
train_cfg = dict(by_epoch=True, max_epochs=epochs)
auto_scale_lr = dict(base_batch_size=1024)
