"""FCT on Grocery Store: half of the products, a tenth, or coarse products only -> all 81 products."""

_base_ = [
    '../_base_/datasets/grocery.py',
    '../_base_/models/resnet10_rgb.py',
    '../_base_/schedules/transform_adam.py',
    '../_base_/default_runtime.py',
]

seed = 0
setting = 'half'  # the old model knows: 'half' or a 'tenth' of the products, or 'coarse' labels (coarse products)
side = 'simclr'  # 'simclr', 'shared' (a neck on the old model) or 'none'
side_classes = dict(half=40, tenth=81, coarse=81)[setting]  # products whose images side-information sees
num_views = 16
cut_mix = True  # h learns on images that the new model, which knows few by heart, has not seen
work_root = 'work_dirs'
work_dir = f'{work_root}/resnet10_grocery_{setting}_{side}_{side_classes}'

old_checkpoint = f'{work_root}/resnet10_grocery_old_{setting}/final.pth'
new_checkpoint = f'{work_root}/resnet10_grocery_new/final.pth'
encoder = dict(backbone=_base_.backbone, data_preprocessor=_base_.image_preprocessor)
encoders = dict(old=dict(encoder, checkpoint=old_checkpoint), new=dict(encoder, checkpoint=new_checkpoint))
assert side in ('simclr', 'shared', 'none'), side
if side == 'simclr':
    side_checkpoint = f'{work_root}/resnet10_grocery_side_{side_classes}/final.pth'
    side_options = dict(side_classes=side_classes)
    side_stages = [
        dict(config='resnet10_grocery_side.py', checkpoint=side_checkpoint, cfg_options=side_options),
    ]
    encoders['side'] = dict(encoder, checkpoint=side_checkpoint)
elif side == 'shared':
    side_checkpoint = f'{work_root}/resnet10_grocery_side_shared_{setting}_{side_classes}/final.pth'
    side_options = dict(setting=setting, side_classes=side_classes)
    side_stages = [
        dict(config='resnet10_grocery_side_shared.py', checkpoint=side_checkpoint, cfg_options=side_options)
    ]
    encoders['side'] = dict(shares='old', neck=_base_.shared_neck, checkpoint=side_checkpoint)
else:
    side_stages = []
prerequisites = [
    dict(config='resnet10_grocery_old.py', checkpoint=old_checkpoint, cfg_options=dict(setting=setting)),
    *side_stages,
    dict(config='resnet10_grocery_new.py', checkpoint=new_checkpoint),
]

train_images = dict(_base_.train_set, pipeline=_base_.train_pipeline)
model = dict(_base_.transform, encoders=encoders)
# An epoch has few iterations: four times the paper's rate, chosen on held-out training images of Omniglot.
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_dataloader = dict(
    batch_size=256,
    num_workers=0,
    dataset=dict(
        type='mmfct.EmbeddingTable',
        path=f'{work_dir}/embeddings_train',
        dataset=dict(type='mmfct.CutMixImages', dataset=train_images) if cut_mix else train_images,
        encoders=encoders,
        num_views=num_views,
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='mmfct.batch_collate'),
)
test_dataloader = dict(
    batch_size=1024,
    num_workers=0,
    dataset=dict(
        type='mmfct.EmbeddingTable',
        path=f'{work_dir}/embeddings_test',
        dataset=dict(_base_.test_set, pipeline=_base_.test_pipeline, test_mode=True),
        encoders=encoders,
        num_views=1,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='mmfct.batch_collate'),
)
test_evaluator = dict(type='mmfct.CompatibilityMetric')
randomness = dict(seed=10 * seed + 4)  # each stage draws weights of its own
