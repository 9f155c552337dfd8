"""The recipe of SegFormer: 160,000 iterations of AdamW with a warm-up and a linear decay, for a batch of 8."""

iterations = 160_000
warmup_iterations = 1_500
val_interval = 16_000
learning_rate = 6e-5

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=learning_rate, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(
        custom_keys={'pos_block': dict(decay_mult=0.0), 'norm': dict(decay_mult=0.0), 'head': dict(lr_mult=10.0)}
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=warmup_iterations, by_epoch=False),
    dict(type='PolyLR', eta_min=0.0, power=1.0, begin=warmup_iterations, end=iterations, by_epoch=False),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=val_interval)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=8)
