"""Losses of a classifier by the name that ``weighting`` of a config takes, and the hook of those that learn weights.

head = dict(..., loss=_base_.losses[weighting])
gradient_hook = dict(_base_.gradient_hook, lr=instance_lr)
custom_hooks = dict(plain=_base_.plain_hooks, itp=[_base_.instance_hook]).get(weighting, [gradient_hook])
"""

instance_momentum = 0.9  # this and the decay: of 'data_parameters' and 'itp_gradient'
instance_decay = 0.0
suspects = None  # of 'itp': for a second pass, the folder that `mmfct suspects` wrote for the first

plain_loss = dict(type='CrossEntropyLoss', loss_weight=1.0)
losses = dict(
    plain=plain_loss,
    data_parameters=dict(type='mmfct.DataParameterLoss', task='label', loss=plain_loss),
    itp=dict(type='mmfct.InstanceTaskWeightLoss', task='label', loss=plain_loss),
    itp_gradient=dict(type='mmfct.InstanceTaskWeightLoss', task='label', loss=plain_loss, gradient=True),
)
instance_hook = dict(type='mmfct.InstanceTaskWeightHook', suspects=suspects)
plain_hooks = [instance_hook] if suspects else []  # it refuses `suspects`
gradient_hook = dict(instance_hook, momentum=instance_momentum, decay=instance_decay)
