"""FCT on Omniglot as in the paper: every epoch sends fresh views of all images through the frozen encoders."""

_base_ = './resnet10_omniglot.py'

work_dir = f'{_base_.work_root}/resnet10_omniglot_online'
train_dataloader = dict(dataset=dict(_base_.train_set, _delete_=True), collate_fn=dict(type='default_collate'))
