"""FCT on Omniglot with side-information from other sources and of other widths, at the same old and new models."""

_base_ = './resnet10_omniglot.py'

source = 'autoencoder'  # 'simclr', 'autoencoder', 'supervised' (a second old model), 'simclr+supervised'
side_dims = 128  # of the two that see no labels
side_classes = dict(half=121, tenth=242, coarse=242)[_base_.setting]
assert source in ('simclr', 'autoencoder', 'supervised', 'simclr+supervised'), source
work_dir = f'{_base_.work_root}/resnet10_omniglot_{_base_.setting}_{source}{side_dims}_{side_classes}'

backbone = dict(_base_.backbone, embedding_dims=side_dims)
stem = 'resnet10_omniglot_side_autoencoder' if source == 'autoencoder' else 'resnet10_omniglot_side'
width = '' if side_dims == _base_.embedding_dims else f'_width{side_dims}'  # without: the other configs' SimCLR
unlabelled = dict(
    config=f'{stem}.py',
    checkpoint=f'{_base_.work_root}/{stem}{width}_{side_classes}/final.pth',
    cfg_options=dict(side_classes=side_classes, embedding_dims=side_dims),
)
second = dict(
    config='resnet10_omniglot_old.py',
    checkpoint=f'{_base_.work_root}/resnet10_omniglot_second_{_base_.setting}/final.pth',
    cfg_options=dict(setting=_base_.setting, seed=_base_.seed + 100),
)
stages = [second] if source == 'supervised' else [unlabelled, second] if '+' in source else [unlabelled]
prerequisites = [
    dict(
        config='resnet10_omniglot_old.py',
        checkpoint=_base_.old_checkpoint,
        cfg_options=dict(setting=_base_.setting),
    ),
    *stages,
    dict(config='resnet10_omniglot_new.py', checkpoint=_base_.new_checkpoint),
]
side_encoders = [
    dict(
        backbone=_base_.backbone if stage is second else backbone,
        data_preprocessor=_base_.image_preprocessor,
        checkpoint=stage['checkpoint'],
    )
    for stage in stages
]
side_encoder = dict(type='mmfct.JoinedEncoder', encoders=side_encoders) if len(stages) > 1 else side_encoders[0]
widths = [_base_.embedding_dims if stage is second else side_dims for stage in stages]

model = dict(head=dict(side_dims=sum(widths)), encoders=dict(side=dict(_delete_=True, **side_encoder)))
train_dataloader = dict(
    dataset=dict(
        path=f'{work_dir}/embeddings_train',
        encoders=dict(side=dict(_delete_=True, **side_encoder)),
    )
)
test_dataloader = dict(
    dataset=dict(path=f'{work_dir}/embeddings_test', encoders=dict(side=dict(_delete_=True, **side_encoder)))
)
