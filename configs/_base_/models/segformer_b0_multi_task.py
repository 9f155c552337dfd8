"""mmseg's SegFormer-B0 for several tasks: a Mix Transformer, and a head of linear layers for each."""

# Weights of ImageNet, or None.
pretrained = 'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/mit_b0_20220624-7e0fe6dd.pth'
base_channels = 32
head_channels = 256

norm_cfg = dict(type='SyncBN', requires_grad=True)
transformer = dict(
    type='MixVisionTransformer',
    in_channels=3,
    embed_dims=base_channels,
    num_stages=4,
    num_layers=(2, 2, 2, 2),
    num_heads=(1, 2, 5, 8),
    patch_sizes=(7, 3, 3, 3),
    sr_ratios=(8, 4, 2, 1),
    out_indices=(0, 1, 2, 3),
    mlp_ratio=4,
    qkv_bias=True,
    drop_path_rate=0.1,
    init_cfg=dict(type='Pretrained', checkpoint=pretrained) if pretrained else None,
)
task_head = dict(
    type='SegformerHead',
    in_channels=[base_channels * factor for factor in (1, 2, 5, 8)],
    in_index=(0, 1, 2, 3),
    channels=head_channels,
    dropout_ratio=0.1,
    norm_cfg=norm_cfg,
    align_corners=False,
)
