"""mmseg's DeepLabv3+ for several tasks: a dilated ResNet-50, a head for each task, and an auxiliary one of classes."""

pretrained = 'open-mmlab://resnet50_v1c'  # weights of ImageNet, or None
base_channels = 64
head_channels = 512

norm_cfg = dict(type='SyncBN', requires_grad=True)
resnet = dict(
    type='ResNetV1c',
    depth=50,
    stem_channels=base_channels,
    base_channels=base_channels,
    out_indices=(0, 1, 2, 3),
    dilations=(1, 1, 2, 4),
    strides=(1, 2, 1, 1),
    norm_cfg=norm_cfg,
    norm_eval=False,
    style='pytorch',
    contract_dilation=True,
    init_cfg=dict(type='Pretrained', checkpoint=pretrained) if pretrained else None,
)
task_head = dict(
    type='DepthwiseSeparableASPPHead',
    in_channels=32 * base_channels,
    in_index=3,
    channels=head_channels,
    dilations=(1, 12, 24, 36),
    c1_in_channels=4 * base_channels,
    c1_channels=48,
    dropout_ratio=0.1,
    norm_cfg=norm_cfg,
    align_corners=False,
)
auxiliary_head = dict(
    type='FCNHead',
    in_channels=16 * base_channels,
    in_index=2,
    channels=head_channels // 2,
    num_convs=1,
    concat_input=False,
    dropout_ratio=0.1,
    norm_cfg=norm_cfg,
    align_corners=False,
)
