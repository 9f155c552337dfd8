"""DeepLabv3 for several tasks: a dilated ResNet-50 and a head with atrous spatial pyramid pooling for each task.

As in LibMTL, with mmseg's head: a 3x3 convolution joins its branches, where LibMTL's has a 1x1 and a 3x3 one.
"""

pretrained = 'torchvision://resnet50'  # weights of ImageNet, or None
base_channels = 64
head_channels = 256

norm_cfg = dict(type='BN')
resnet = dict(
    type='ResNet',
    depth=50,
    stem_channels=base_channels,
    base_channels=base_channels,
    out_indices=(3,),
    strides=(1, 2, 1, 1),
    dilations=(1, 1, 2, 4),
    contract_dilation=True,
    style='pytorch',
    norm_cfg=norm_cfg,
    norm_eval=False,
    init_cfg=dict(type='Pretrained', checkpoint=pretrained) if pretrained else None,
)
task_head = dict(
    type='ASPPHead',
    in_channels=32 * base_channels,
    in_index=0,
    channels=head_channels,
    dilations=(1, 12, 24, 36),
    norm_cfg=norm_cfg,
    align_corners=True,
)
