"""A ResNet-50 for crops of people: a head for SMPL's parameters, and one for each map at a quarter of the size."""

pretrained = 'torchvision://resnet50'  # weights of ImageNet, or None
base_channels = 64
head_channels = 256

norm_cfg = dict(type='BN')
resnet = dict(
    type='ResNet',
    depth=50,
    stem_channels=base_channels,
    base_channels=base_channels,
    out_indices=(0, 1, 2, 3),
    style='pytorch',
    norm_cfg=norm_cfg,
    norm_eval=False,
    init_cfg=dict(type='Pretrained', checkpoint=pretrained) if pretrained else None,
)
pose_head = dict(in_channels=32 * base_channels, channels=4 * head_channels)
map_head = dict(
    type='FCNHead',
    input_transform='resize_concat',
    in_channels=[4 * base_channels, 8 * base_channels, 16 * base_channels, 32 * base_channels],
    in_index=(0, 1, 2, 3),
    channels=head_channels,
    num_convs=1,
    kernel_size=1,
    concat_input=False,
    dropout_ratio=0.0,
    norm_cfg=norm_cfg,
)
