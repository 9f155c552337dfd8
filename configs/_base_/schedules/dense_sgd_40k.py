"""mmseg's recipe of 40,000 iterations: SGD with a polynomial rate, for a batch of 8."""

iterations = 40_000
val_interval = 4_000
learning_rate = 0.01

optim_wrapper = dict(optimizer=dict(type='SGD', lr=learning_rate, momentum=0.9, weight_decay=5e-4))
param_scheduler = [dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, end=iterations, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=val_interval)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=8)
