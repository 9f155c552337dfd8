"""FCT on Omniglot: half of the characters, a tenth, or alphabets only -> all 242 characters."""

_base_ = [
    '../_base_/datasets/omniglot.py',
    '../_base_/models/resnet10_gray.py',
    '../_base_/schedules/transform_adam.py',
    '../_base_/default_runtime.py',
]

seed = 0
setting = 'half'  # what the old model knows: 'half' or a 'tenth' of the characters, or only their alphabets: 'coarse'
side = 'simclr'  # 'simclr', 'shared' (a neck on the old model) or 'none'
side_classes = dict(half=121, tenth=242, coarse=242)[setting]  # unlabelled images that side-information sees
num_views = 8
work_root = 'work_dirs'

old_checkpoint = f'{work_root}/resnet10_omniglot_old_{setting}/final.pth'
new_checkpoint = f'{work_root}/resnet10_omniglot_new/final.pth'
work_dir = f'{work_root}/resnet10_omniglot_{setting}_{side}'
encoder = dict(backbone=_base_.backbone, data_preprocessor=_base_.image_preprocessor)
encoders = dict(old=dict(encoder, checkpoint=old_checkpoint), new=dict(encoder, checkpoint=new_checkpoint))
prerequisites = [
    dict(config='resnet10_omniglot_old.py', checkpoint=old_checkpoint, cfg_options=dict(setting=setting)),
    dict(config='resnet10_omniglot_new.py', checkpoint=new_checkpoint),
]
if side == 'simclr':
    side_checkpoint = f'{work_root}/resnet10_omniglot_side_{side_classes}/final.pth'
    encoders['side'] = dict(encoder, checkpoint=side_checkpoint)
    prerequisites.append(
        dict(
            config='resnet10_omniglot_side.py',
            checkpoint=side_checkpoint,
            cfg_options=dict(side_classes=side_classes),
        )
    )
elif side == 'shared':
    side_checkpoint = f'{work_root}/resnet10_omniglot_side_shared_{setting}/final.pth'
    encoders['side'] = dict(shares='old', neck=_base_.shared_neck, checkpoint=side_checkpoint)
    prerequisites.append(
        dict(
            config='resnet10_omniglot_side_shared.py',
            checkpoint=side_checkpoint,
            cfg_options=dict(setting=setting, side_classes=side_classes),
        )
    )

model = dict(
    type='mmfct.ForwardTransform',
    encoders=encoders,
    head=dict(
        type='mmfct.TransformationHead',
        old_dims=_base_.embedding_dims,
        side_dims=_base_.embedding_dims,
        new_dims=_base_.embedding_dims,
        hidden_dims=512,
    ),
)
train_dataloader = dict(
    batch_size=128,
    num_workers=0,
    dataset=dict(
        type='mmfct.EmbeddingTable',
        path=f'{work_dir}/embeddings_train',
        dataset=dict(_base_.train_set, pipeline=_base_.train_pipeline),
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
randomness = dict(seed=seed)
