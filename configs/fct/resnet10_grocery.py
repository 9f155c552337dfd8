"""FCT on Grocery Store: half of the products, a tenth, or coarse products only -> all 81 products."""

_base_ = ['../_base_/datasets/grocery.py', '../_base_/models/resnet10_rgb.py', '../_base_/transform_small.py']

setting = 'half'  # the old model knows: 'half' or a 'tenth' of the products, or 'coarse' labels (coarse products)
side = 'simclr'  # 'simclr', 'shared' (a neck on the old model) or 'none'
side_classes = dict(half=40, tenth=81, coarse=81)[setting]  # products whose images side-information sees
num_views = 16
cut_mix = True  # the new model has memorised the plain training images
work_dir = f'{_base_.work_root}/resnet10_grocery_{setting}_{side}_{side_classes}'

old_checkpoint = f'{_base_.work_root}/resnet10_grocery_old_{setting}/final.pth'
new_checkpoint = f'{_base_.work_root}/resnet10_grocery_new/final.pth'
encoder = dict(backbone=_base_.backbone, data_preprocessor=_base_.image_preprocessor)
encoders = dict(old=dict(encoder, checkpoint=old_checkpoint), new=dict(encoder, checkpoint=new_checkpoint))
side_stages = []
assert side in ('simclr', 'shared', 'none'), side
if side == 'simclr':
    side_checkpoint = f'{_base_.work_root}/resnet10_grocery_side_{side_classes}/final.pth'
    side_options = dict(side_classes=side_classes)
    side_stages = [dict(config='resnet10_grocery_side.py', checkpoint=side_checkpoint, cfg_options=side_options)]
    encoders['side'] = dict(encoder, checkpoint=side_checkpoint)
elif side == 'shared':
    side_checkpoint = f'{_base_.work_root}/resnet10_grocery_side_shared_{setting}_{side_classes}/final.pth'
    side_options = dict(setting=setting, side_classes=side_classes)
    side_stages = [
        dict(config='resnet10_grocery_side_shared.py', checkpoint=side_checkpoint, cfg_options=side_options)
    ]
    encoders['side'] = dict(shares='old', neck=_base_.shared_neck, checkpoint=side_checkpoint)
prerequisites = [
    dict(config='resnet10_grocery_old.py', checkpoint=old_checkpoint, cfg_options=dict(setting=setting)),
    *side_stages,
    dict(config='resnet10_grocery_new.py', checkpoint=new_checkpoint),
]

model = dict(_base_.transform, _delete_=True, encoders=encoders)
train_images = dict(type='mmfct.CutMixImages', dataset=_base_.train_set) if cut_mix else _base_.train_set
tables = dict(encoders=encoders)
train_dataloader = dict(
    dataset=dict(tables, dataset=train_images, num_views=num_views, path=f'{work_dir}/embeddings_train')
)
test_dataloader = dict(dataset=dict(tables, dataset=_base_.test_set, path=f'{work_dir}/embeddings_test'))
