"""The recipe of the transformation (arXiv 2112.02805): Adam on the MSE, 5 epochs of warm-up, then a cosine."""

_base_ = '../default_runtime.py'

seed = 0
transform_epochs = 80
warmup_epochs = 5

optim_wrapper = dict(optimizer=dict(type='Adam', lr=5e-4, weight_decay=2**-15))
warm_up = dict(type='LinearLR', start_factor=1 / max(1, warmup_epochs), begin=0, end=warmup_epochs, by_epoch=True)
cosine = dict(
    type='CosineAnnealingLR',
    T_max=transform_epochs - warmup_epochs,
    begin=warmup_epochs,
    end=transform_epochs,
    by_epoch=True,
)
# mmengine refuses a scheduler without a step.
param_scheduler = [warm_up, cosine] if warmup_epochs else [cosine]
train_cfg = dict(by_epoch=True, max_epochs=transform_epochs)
test_cfg = dict()
# BN's running statistics are frozen, and used, in the second half of the training.
custom_hooks = [dict(type='mmfct.EvalModeFromEpochHook', epoch=transform_epochs // 2, module='head')]
