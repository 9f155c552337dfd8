"""The recipe of old and new models (arXiv 2112.02805): batch 1024, 100 epochs, one learning rate per epoch."""

_base_ = '../default_runtime.py'

seed = 0
epochs = 100
warmup_epochs = 5
batch_size = 128  # per GPU, for 8 GPUs

train_dataloader = dict(batch_size=batch_size, sampler=dict(type='DefaultSampler', shuffle=True))
optim_wrapper = dict(optimizer=dict(type='SGD', lr=1.024, momentum=0.875, weight_decay=2**-15))
warm_up = dict(type='LinearLR', start_factor=1 / max(1, warmup_epochs), begin=0, end=warmup_epochs, by_epoch=True)
cosine = dict(type='CosineAnnealingLR', T_max=epochs - warmup_epochs, begin=warmup_epochs, end=epochs, by_epoch=True)
# mmengine refuses a scheduler without a step.
param_scheduler = [warm_up, cosine] if warmup_epochs else [cosine]
train_cfg = dict(by_epoch=True, max_epochs=epochs)
auto_scale_lr = dict(base_batch_size=1024)
