"""The transformation stage of every data set: the transformation learns on tables of cached embeddings.

A config adds the model with its encoders and, to the table of each loader, images, encoders and folder.
"""

_base_ = './schedules/transform_adam.py'

num_views = 8
work_root = 'work_dirs'

train_dataloader = dict(
    num_workers=0,
    dataset=dict(type='mmfct.EmbeddingTable', num_views=num_views),
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='mmfct.batch_collate'),
)
test_dataloader = dict(
    batch_size=1024,
    num_workers=0,
    dataset=dict(type='mmfct.EmbeddingTable', num_views=1),
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='mmfct.batch_collate'),
)
test_evaluator = dict(type='mmfct.CompatibilityMetric')
randomness = dict(seed=10 * _base_.seed + 4)  # each stage has its own seed
