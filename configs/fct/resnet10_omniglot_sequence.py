"""FCT on Omniglot in steps: a quarter, half and all of the characters; side-information of the first quarter alone."""

_base_ = './resnet10_omniglot.py'

step = 'v1-v2'  # 'v1-v2', 'v2-v3', or 'v1-v3' at once
versions = dict(v1=60, v2=121, v3=242)  # characters that a model is trained on
start, goal = step.split('-')
work_root = 'work_dirs'
work_dir = f'{work_root}/resnet10_omniglot_sequence_{step}'

old_checkpoint = f'{work_root}/resnet10_omniglot_{start}/final.pth'
new_checkpoint = f'{work_root}/resnet10_omniglot_{goal}/final.pth'
side_checkpoint = f'{work_root}/resnet10_omniglot_side_{versions["v1"]}/final.pth'
encoder = dict(backbone=_base_.backbone, data_preprocessor=_base_.image_preprocessor)
encoders = dict(
    old=dict(encoder, checkpoint=old_checkpoint),
    side=dict(encoder, checkpoint=side_checkpoint),
    new=dict(encoder, checkpoint=new_checkpoint),
)
prerequisites = [
    # Each has as many iterations as the others, and initial weights of its own.
    *(
        dict(
            config='resnet10_omniglot_old.py',
            checkpoint=f'{work_root}/resnet10_omniglot_{name}/final.pth',
            cfg_options=dict(
                num_seen=versions[name],
                repeats=versions['v3'] // versions[name],
                seed=_base_.seed + 10 * versions[name],
            ),
        )
        for name in (start, goal)
    ),
    dict(
        config='resnet10_omniglot_side.py',
        checkpoint=side_checkpoint,
        cfg_options=dict(side_classes=versions['v1']),
    ),
]

model = dict(encoders=dict(_delete_=True, **encoders))
train_dataloader = dict(
    dataset=dict(
        path=f'{work_dir}/embeddings_train',
        # What the goal was trained on: nobody has more when that model comes.
        dataset=dict(
            _delete_=True,
            type='mmfct.ClassSubset',
            num_classes=versions[goal],
            dataset=dict(_base_.train_set, pipeline=_base_.train_pipeline),
        ),
        encoders=dict(_delete_=True, **encoders),
    )
)
test_dataloader = dict(
    dataset=dict(path=f'{work_dir}/embeddings_test', encoders=dict(_delete_=True, **encoders)),
)
