"""FCT on ImageNet as in the paper: every epoch sends fresh views of all images through the frozen encoders."""

_base_ = './resnet50_imagenet.py'

work_dir = f'{_base_.work_root}/resnet50_imagenet_online'
train_dataloader = dict(
    num_workers=_base_.num_workers,
    dataset=dict(_base_.train_set, _delete_=True),
    collate_fn=dict(type='default_collate'),
)
