"""The paper's ResNet-50, whose last block has 128 channels: classifier, SimCLR and transformation."""

depth = 50
embedding_dims = 128

backbone = dict(type='mmfct.EmbeddingResNet', depth=depth, embedding_dims=embedding_dims)
model = dict(
    type='ImageClassifier',
    backbone=backbone,
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=None,  # set by the config
        in_channels=embedding_dims,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
    ),
)
# The paper does not name the layer of SimCLR: side-information is the pooled 128-d embedding before the projector.
projector = dict(type='NonLinearNeck', in_channels=embedding_dims, hid_channels=2048, out_channels=128, num_layers=2)
simclr = dict(
    type='SimCLR',
    backbone=backbone,
    neck=dict(type='mmfct.SideInfoNeck', in_channels=embedding_dims, out_channels=embedding_dims, projector=projector),
    head=dict(type='ContrastiveHead', loss=dict(type='CrossEntropyLoss'), temperature=0.1),
)
transform = dict(
    type='mmfct.ForwardTransform',
    head=dict(
        type='mmfct.TransformationHead',
        old_dims=embedding_dims,
        side_dims=embedding_dims,
        new_dims=embedding_dims,
        hidden_dims=2048,
    ),
)
