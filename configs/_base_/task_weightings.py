"""Ways to weight the losses of segmentation and depth, by the name that ``weighting`` of a config takes.

model = dict(weighting=_base_.weightings[weighting])
custom_hooks = _base_.weighting_hooks.get(weighting, [])
"""

seed = 0
seg_weight = 1.0  # of 'fixed'
depth_weight = 1.0
temperature = 2.0  # of 'dwa'
scalarizer = 'IMTLL'  # of 'torchjd'; arguments: model.weighting.options.NAME=VALUE
# Of 'itp_gradient', the parameters per instance. An instance is met once in an epoch: a rate far above the network's.
instance_lr = 1.0
instance_momentum = 0.0
instance_decay = 0.0
instance_max_factor = 20.0
others = 7  # of 'itp': predictions of other images that each label is compared with
suspects = None  # of 'itp', 'itp_instance': for a second pass, what `mmfct suspects` wrote for the first

weightings = dict(
    equal=dict(type='mmfct.EqualWeighting'),
    fixed=dict(type='mmfct.FixedWeighting', weights=dict(seg=seg_weight, depth=depth_weight)),
    uncertainty=dict(type='mmfct.InstanceTaskWeighting', instance=False),
    dwa=dict(type='mmfct.DynamicWeightAverage', temperature=temperature),
    rlw=dict(type='mmfct.RandomLossWeighting', seed=seed),
    gls=dict(type='mmfct.GeometricLossStrategy'),
    torchjd=dict(type='mmfct.TorchJDWeighting', scalarizer=scalarizer),
    itp=dict(type='mmfct.AgreementWeighting', others=others),
    itp_instance=dict(type='mmfct.AgreementWeighting', others=others, shared=False),
    itp_gradient=dict(type='mmfct.InstanceTaskWeighting'),
)
# Those with parameters that the network's optimiser trains, at the `log_variance_lr` of a config.
learned_weightings = ('uncertainty', 'torchjd', 'itp', 'itp_gradient')
instance_hook = dict(type='mmfct.InstanceTaskWeightHook', suspects=suspects)
gradient_hook = dict(
    instance_hook,
    lr=instance_lr,
    momentum=instance_momentum,
    decay=instance_decay,
    max_factor=instance_max_factor,
)
weighting_hooks = dict.fromkeys(weightings, [instance_hook] if suspects else []) | dict(  # a hook refuses `suspects`
    itp=[instance_hook], itp_instance=[instance_hook], itp_gradient=[gradient_hook]
)
