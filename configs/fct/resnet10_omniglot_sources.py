"""FCT on Omniglot with side-information from other sources and of other widths; old and new models stay the same."""

_base_ = './resnet10_omniglot.py'

source = 'autoencoder'  # 'simclr', 'autoencoder', 'supervised' (a second old model), 'simclr+supervised'
side_dims = 128  # of SimCLR and the autoencoder
assert source in ('simclr', 'autoencoder', 'supervised', 'simclr+supervised'), source
work_dir = f'{_base_.work_root}/resnet10_omniglot_{_base_.setting}_{source}{side_dims}_{_base_.side_classes}'

stem = 'resnet10_omniglot_side_autoencoder' if source == 'autoencoder' else 'resnet10_omniglot_side'
width = '' if side_dims == _base_.embedding_dims else f'_width{side_dims}'  # without: SimCLR of the other configs
unlabelled = dict(
    config=f'{stem}.py',
    checkpoint=f'{_base_.work_root}/{stem}{width}_{_base_.side_classes}/final.pth',
    cfg_options=dict(side_classes=_base_.side_classes, embedding_dims=side_dims),
)
second = dict(
    config='resnet10_omniglot_old.py',
    checkpoint=f'{_base_.work_root}/resnet10_omniglot_second_{_base_.setting}/final.pth',
    cfg_options=dict(setting=_base_.setting, seed=_base_.seed + 100),
)
stages = [second] if source == 'supervised' else [unlabelled, second] if '+' in source else [unlabelled]
prerequisites = [_base_.prerequisites[0], *stages, _base_.prerequisites[-1]]
backbone = dict(_base_.backbone, embedding_dims=side_dims)
side_encoders = [
    dict(_base_.encoder, backbone=_base_.backbone if stage is second else backbone, checkpoint=stage['checkpoint'])
    for stage in stages
]
widths = [_base_.embedding_dims if stage is second else side_dims for stage in stages]
side_encoder = dict(type='mmfct.JoinedEncoder', encoders=side_encoders) if len(stages) > 1 else side_encoders[0]
encoders = dict(side=dict(side_encoder, _delete_=True))

model = dict(head=dict(side_dims=sum(widths)), encoders=encoders)
train_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_train', encoders=encoders))
test_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_test', encoders=encoders))
