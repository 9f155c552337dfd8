"""FCT on Omniglot in steps: a quarter, half and all of the characters; side-information of the first quarter alone."""

_base_ = './resnet10_omniglot.py'

step = 'v1-v2'  # or 'v2-v3', or 'v1-v3' in one step
versions = dict(v1=60, v2=121, v3=242)  # characters that each version is trained on
start, goal = step.split('-')
root = f'{_base_.work_root}/resnet10_omniglot'
work_dir = f'{root}_sequence_{step}'

old_checkpoint = f'{root}_{start}/final.pth'
new_checkpoint = f'{root}_{goal}/final.pth'
side_checkpoint = f'{root}_side_{versions["v1"]}/final.pth'
encoders = dict(
    old=dict(_base_.encoder, checkpoint=old_checkpoint),
    side=dict(_base_.encoder, checkpoint=side_checkpoint),
    new=dict(_base_.encoder, checkpoint=new_checkpoint),
)
side_options = dict(side_classes=versions['v1'])
prerequisites = [
    # All have the same number of iterations; each has its own initial weights.
    *(
        dict(
            config='resnet10_omniglot_old.py',
            checkpoint=f'{root}_{name}/final.pth',
            cfg_options=dict(num_seen=seen, repeats=versions['v3'] // seen, seed=_base_.seed + 10 * seen),
        )
        for name, seen in ((start, versions[start]), (goal, versions[goal]))
    ),
    dict(config='resnet10_omniglot_side.py', checkpoint=side_checkpoint, cfg_options=side_options),
]
# The images that the goal was trained on: no others exist when that model is deployed.
images = dict(type='mmfct.ClassSubset', num_classes=versions[goal], dataset=_base_.train_set)

model = dict(encoders=dict(encoders, _delete_=True))
train_dataloader = dict(
    dataset=dict(
        path=f'{work_dir}/embeddings_train',
        dataset=dict(images, _delete_=True),
        encoders=dict(encoders, _delete_=True),
    )
)
test_dataloader = dict(dataset=dict(path=f'{work_dir}/embeddings_test', encoders=dict(encoders, _delete_=True)))
