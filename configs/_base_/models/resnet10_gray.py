"""A narrow ResNet-10 (16-32-64-128 channels) for small grey images: classifier, SimCLR and transformation."""

embedding_dims = 128
stage_channels = (16, 32, 64, 128)

backbone = dict(
    type='mmfct.EmbeddingResNet',
    resnet='mmpretrain.ResNet_CIFAR',
    depth=18,
    blocks_per_stage=1,
    embedding_dims=embedding_dims,
    in_channels=1,
    stem_channels=16,
    base_channels=16,
    strides=(2, 2, 2, 1),
    out_indices=(0, 1, 2, 3),  # the last map is the embedding; a shared side-information neck reads all of them
)
model = dict(
    type='ImageClassifier',
    backbone=backbone,
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=None,  # set by the config
        in_channels=embedding_dims,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1),
    ),
)
projector = dict(type='NonLinearNeck', in_channels=embedding_dims, hid_channels=256, out_channels=64, num_layers=2)
simclr = dict(
    type='SimCLR',
    backbone=backbone,
    neck=dict(type='mmfct.SideInfoNeck', in_channels=embedding_dims, out_channels=embedding_dims, projector=projector),
    head=dict(type='ContrastiveHead', loss=dict(type='CrossEntropyLoss'), temperature=0.2),
)
shared_neck = dict(
    type='mmfct.SideInfoNeck',
    in_channels=stage_channels,
    in_indices=(0, 1, 2, 3),
    out_channels=embedding_dims,
    num_layers=2,
    hidden_channels=512,
)
transform = dict(
    type='mmfct.ForwardTransform',
    head=dict(
        type='mmfct.TransformationHead',
        old_dims=embedding_dims,
        side_dims=embedding_dims,
        new_dims=embedding_dims,
        hidden_dims=512,
    ),
)
