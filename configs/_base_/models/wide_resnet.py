"""A classifier of small colour images: WRN-28-10, without dropout."""

depth = 28
widen_factor = 10

model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmfct.WideResNet', depth=depth, widen_factor=widen_factor),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=None,  # set by the config
        in_channels=64 * widen_factor,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
