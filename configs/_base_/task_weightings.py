"""Ways to weight the losses of segmentation and depth, by the name that ``weighting`` of a config takes.

model = dict(weighting=_base_.weightings[weighting])
custom_hooks = _base_.weighting_hooks.get(weighting, [])
"""

seed = 0
seg_weight = 1.0  # of 'fixed'
depth_weight = 1.0
temperature = 2.0  # of 'dwa'
scalarizer = 'IMTLL'  # of 'torchjd'; arguments: model.weighting.options.NAME=VALUE
# Of the parameters per instance. An instance is met once in an epoch: a rate far above the network's.
instance_lr = 1.0
instance_momentum = 0.0
instance_decay = 0.0
instance_sharpness = 2.0
instance_relative = True  # judged by what a prediction without the image would have lost
instance_center = True
instance_schedule = 'constant'  # or 'cosine'
instance_warmup_epochs = 0

instance_weighting = dict(type='mmfct.InstanceTaskWeighting', sharpness=instance_sharpness, relative=instance_relative)
weightings = dict(
    equal=dict(type='mmfct.EqualWeighting'),
    fixed=dict(type='mmfct.FixedWeighting', weights=dict(seg=seg_weight, depth=depth_weight)),
    uncertainty=dict(type='mmfct.InstanceTaskWeighting', instance=False),
    dwa=dict(type='mmfct.DynamicWeightAverage', temperature=temperature),
    rlw=dict(type='mmfct.RandomLossWeighting', seed=seed),
    gls=dict(type='mmfct.GeometricLossStrategy'),
    torchjd=dict(type='mmfct.TorchJDWeighting', scalarizer=scalarizer),
    itp=instance_weighting,
    itp_instance=dict(instance_weighting, shared=False),
)
instance_hook = dict(
    type='mmfct.InstanceTaskWeightHook',
    lr=instance_lr,
    momentum=instance_momentum,
    decay=instance_decay,
    center=instance_center,
    schedule=instance_schedule,
    warmup_epochs=instance_warmup_epochs,
)
weighting_hooks = dict(itp=[instance_hook], itp_instance=[instance_hook])
