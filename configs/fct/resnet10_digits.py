"""FCT on the digits of scikit-learn: digits 0 to 4 -> all ten; the whole life cycle in two minutes on a CPU."""

_base_ = [
    '../_base_/datasets/digits.py',
    '../_base_/models/resnet10_gray.py',
    '../_base_/schedules/transform_adam.py',
    '../_base_/default_runtime.py',
]

seed = 0
num_views = 8
work_root = 'work_dirs'
work_dir = f'{work_root}/resnet10_digits'

old_checkpoint = f'{work_root}/resnet10_digits_old/final.pth'
side_checkpoint = f'{work_root}/resnet10_digits_side/final.pth'
new_checkpoint = f'{work_root}/resnet10_digits_new/final.pth'
prerequisites = [
    dict(config='resnet10_digits_old.py', checkpoint=old_checkpoint),
    dict(config='resnet10_digits_side.py', checkpoint=side_checkpoint),
    dict(config='resnet10_digits_new.py', checkpoint=new_checkpoint),
]
encoder = dict(backbone=_base_.backbone, data_preprocessor=_base_.image_preprocessor)
encoders = dict(
    old=dict(encoder, checkpoint=old_checkpoint),
    side=dict(encoder, checkpoint=side_checkpoint),
    new=dict(encoder, checkpoint=new_checkpoint),
)

model = dict(_base_.transform, encoders=encoders)
# An epoch has few iterations: four times the paper's rate, chosen on held-out training images of Omniglot.
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_dataloader = dict(
    batch_size=256,
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
randomness = dict(seed=10 * seed + 4)  # each stage draws weights of its own
