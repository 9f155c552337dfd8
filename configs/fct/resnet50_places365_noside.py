"""FCT on Places-365 without side-information, 182 -> 365 classes: the old embedding feeds both branches of h."""

_base_ = [
    '../_base_/datasets/places365.py',
    '../_base_/models/resnet50.py',
    '../_base_/schedules/transform_adam.py',
    '../_base_/default_runtime.py',
]

seed = 0
num_views = 8
work_root = 'work_dirs'
work_dir = f'{work_root}/resnet50_places365_noside'

old_checkpoint = f'{work_root}/resnet50_places365_old/final.pth'
new_checkpoint = f'{work_root}/resnet50_places365_new/final.pth'
old_stage = dict(config='resnet50_places365_old.py', checkpoint=old_checkpoint)
new_stage = dict(config='resnet50_places365_new.py', checkpoint=new_checkpoint)
prerequisites = [old_stage, new_stage]
encoder = dict(backbone=_base_.backbone, data_preprocessor=_base_.image_preprocessor)
encoders = dict(old=dict(encoder, checkpoint=old_checkpoint), new=dict(encoder, checkpoint=new_checkpoint))

model = dict(_base_.transform, encoders=encoders)
train_dataloader = dict(
    batch_size=128,  # per GPU, for 8 GPUs: 1024
    num_workers=0,
    dataset=dict(
        type='mmfct.EmbeddingTable',
        path=f'{work_dir}/embeddings_train',
        dataset=dict(_base_.train_set, pipeline=_base_.train_pipeline),
        encoders=encoders,
        num_views=num_views,
        num_workers=_base_.num_workers,
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
        dataset=dict(_base_.test_set, pipeline=_base_.test_pipeline),
        encoders=encoders,
        num_views=1,
        num_workers=_base_.num_workers,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='mmfct.batch_collate'),
)
test_evaluator = dict(type='mmfct.CompatibilityMetric')
auto_scale_lr = dict(base_batch_size=1024)
randomness = dict(seed=10 * seed + 4)  # each stage draws weights of its own
