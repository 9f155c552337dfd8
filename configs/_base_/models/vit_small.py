"""A small vision transformer (the size of DeiT-S) whose class token is projected to the embedding."""

vit_dims = 384
vit_layers = 12
vit_heads = 6
vit_embedding_dims = 128

vit_backbone = dict(
    type='VisionTransformer',
    arch=dict(embed_dims=vit_dims, num_layers=vit_layers, num_heads=vit_heads, feedforward_channels=4 * vit_dims),
    img_size=224,
    patch_size=16,
    drop_path_rate=0.1,
)
vit_neck = dict(type='LinearNeck', in_channels=vit_dims, out_channels=vit_embedding_dims)
vit_classifier = dict(
    type='ImageClassifier',
    backbone=vit_backbone,
    neck=vit_neck,
    head=dict(
        type='LinearClsHead',
        num_classes=None,  # set by the config
        in_channels=vit_embedding_dims,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
    ),
)
