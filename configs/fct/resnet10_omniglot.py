"""FCT on Omniglot: half of the characters, a tenth, or alphabets only -> all 242 characters."""

_base_ = ['../_base_/datasets/omniglot.py', '../_base_/models/resnet10_gray.py', '../_base_/transform_small.py']

setting = 'half'  # the old model knows: 'half' or a 'tenth' of the characters, or 'coarse' labels (alphabets)
side = 'simclr'  # 'simclr', 'shared' (a neck on the old model) or 'none'
side_classes = dict(half=121, tenth=242, coarse=242)[setting]  # characters whose images side-information sees
work_dir = f'{_base_.work_root}/resnet10_omniglot_{setting}_{side}_{side_classes}'

old_checkpoint = f'{_base_.work_root}/resnet10_omniglot_old_{setting}/final.pth'
new_checkpoint = f'{_base_.work_root}/resnet10_omniglot_new/final.pth'
encoder = dict(backbone=_base_.backbone, data_preprocessor=_base_.image_preprocessor)
encoders = dict(old=dict(encoder, checkpoint=old_checkpoint), new=dict(encoder, checkpoint=new_checkpoint))
side_stages = []
assert side in ('simclr', 'shared', 'none'), side
if side == 'simclr':
    side_checkpoint = f'{_base_.work_root}/resnet10_omniglot_side_{side_classes}/final.pth'
    side_options = dict(side_classes=side_classes)
    side_stages = [dict(config='resnet10_omniglot_side.py', checkpoint=side_checkpoint, cfg_options=side_options)]
    encoders['side'] = dict(encoder, checkpoint=side_checkpoint)
elif side == 'shared':
    side_checkpoint = f'{_base_.work_root}/resnet10_omniglot_side_shared_{setting}_{side_classes}/final.pth'
    side_options = dict(setting=setting, side_classes=side_classes)
    side_stages = [
        dict(config='resnet10_omniglot_side_shared.py', checkpoint=side_checkpoint, cfg_options=side_options)
    ]
    encoders['side'] = dict(shares='old', neck=_base_.shared_neck, checkpoint=side_checkpoint)
prerequisites = [
    dict(config='resnet10_omniglot_old.py', checkpoint=old_checkpoint, cfg_options=dict(setting=setting)),
    *side_stages,
    dict(config='resnet10_omniglot_new.py', checkpoint=new_checkpoint),
]

model = dict(_base_.transform, _delete_=True, encoders=encoders)
tables = dict(encoders=encoders)
train_dataloader = dict(dataset=dict(tables, dataset=_base_.train_set, path=f'{work_dir}/embeddings_train'))
test_dataloader = dict(dataset=dict(tables, dataset=_base_.test_set, path=f'{work_dir}/embeddings_test'))
