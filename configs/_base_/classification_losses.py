"""Losses of a classifier by the name that ``weighting`` of a config takes, and the hook of those that learn weights.

head = dict(..., loss=_base_.losses[weighting])
custom_hooks = [] if weighting == 'plain' else [dict(_base_.instance_hook, lr=instance_lr)]
"""

instance_momentum = 0.9
instance_decay = 0.0
instance_schedule = 'constant'  # or 'cosine'
instance_warmup_epochs = 0  # before the parameters of the images start to move

plain_loss = dict(type='CrossEntropyLoss', loss_weight=1.0)
losses = dict(
    plain=plain_loss,
    data_parameters=dict(type='mmfct.DataParameterLoss', task='label', loss=plain_loss),
    itp=dict(type='mmfct.InstanceTaskWeightLoss', task='label', loss=plain_loss),
)
instance_hook = dict(
    type='mmfct.InstanceTaskWeightHook',
    momentum=instance_momentum,
    decay=instance_decay,
    schedule=instance_schedule,
    warmup_epochs=instance_warmup_epochs,
)
