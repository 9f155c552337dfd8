"""A narrow ResNet-10 for small crops of people: a head for SMPL's parameters, and one for each map."""

stage_channels = (16, 32, 64, 128)

norm_cfg = dict(type='BN')
resnet = dict(
    type='mmfct.EmbeddingResNet',
    resnet='mmpretrain.ResNet',
    depth=18,
    blocks_per_stage=1,
    embedding_dims=128,
    in_channels=3,
    stem_channels=16,
    base_channels=16,
    strides=(1, 2, 2, 1),
    out_indices=(0, 1, 2, 3),
    norm_cfg=norm_cfg,
)
pose_head = dict(in_channels=128, channels=256, pool_size=4)
map_head = dict(
    type='FCNHead',
    input_transform='resize_concat',
    in_channels=stage_channels,
    in_index=(0, 1, 2, 3),  # a quarter of the crop's size, as SURREAL's own networks have it
    channels=32,
    num_convs=1,
    kernel_size=1,
    concat_input=False,
    dropout_ratio=0.0,  # dropping one of a few channels shifts a regressed depth
    norm_cfg=norm_cfg,
)
