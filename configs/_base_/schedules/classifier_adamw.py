"""Vision transformers: AdamW, batch 1024, 300 epochs, 5 of warm-up, then a cosine; after DeiT (arXiv 2012.12877)."""

_base_ = '../default_runtime.py'

seed = 0
epochs = 300
warmup_epochs = 5
batch_size = 128  # per GPU, for 8 GPUs

train_dataloader = dict(batch_size=batch_size, sampler=dict(type='DefaultSampler', shuffle=True))
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={'.cls_token': dict(decay_mult=0.0), '.pos_embed': dict(decay_mult=0.0)},
    ),
    clip_grad=dict(max_norm=5.0),
)
warm_up = dict(
    type='LinearLR',
    start_factor=1e-3,
    begin=0,
    end=warmup_epochs,
    by_epoch=True,
    convert_to_iter_based=True,
)
cosine = dict(
    type='CosineAnnealingLR',
    T_max=epochs - warmup_epochs,
    eta_min=1e-5,
    begin=warmup_epochs,
    end=epochs,
    by_epoch=True,
    convert_to_iter_based=True,
)
# mmengine refuses a scheduler without a step.
param_scheduler = [warm_up, cosine] if warmup_epochs else [cosine]
train_cfg = dict(by_epoch=True, max_epochs=epochs)
auto_scale_lr = dict(base_batch_size=1024, rule='linear')  # as DeiT does
