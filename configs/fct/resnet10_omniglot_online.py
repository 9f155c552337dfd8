"""FCT on Omniglot as the paper trains h: every epoch sends fresh views of all images through the frozen encoders."""

_base_ = './resnet10_omniglot.py'

work_dir = f'{_base_.work_root}/resnet10_omniglot_online'
train_dataloader = dict(
    dataset=dict(_base_.train_set, _delete_=True, pipeline=_base_.train_pipeline),
    collate_fn=dict(type='default_collate', _delete_=True),
)
