"""A narrow ResNet-10 (16-32-64-128 channels) for small grey images: trains on a CPU core in minutes."""

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
shared_neck = dict(
    type='mmfct.SideInfoNeck',
    in_channels=stage_channels,
    in_indices=(0, 1, 2, 3),
    out_channels=embedding_dims,
    num_layers=2,
    hidden_channels=512,
)
