"""BCT on Omniglot: the new model of FCT, trained so that the old classifier also recognises its embeddings."""

_base_ = '../fct/resnet10_omniglot_new.py'

setting = 'half'  # the old model knows: 'half' or a 'tenth' of the characters, or 'coarse' labels (alphabets)
influence_weight = 1.0
work_root = 'work_dirs'
work_dir = f'{work_root}/resnet10_omniglot_bct_{setting}'

old_checkpoint = f'{work_root}/resnet10_omniglot_old_{setting}/final.pth'
prerequisites = [
    dict(config='../fct/resnet10_omniglot_old.py', checkpoint=old_checkpoint, cfg_options=dict(setting=setting)),
]
# Characters are sorted by alphabet: these are their labels in an old model that knows only alphabets.
characters = [24, 22, 24, 47, 40, 26, 42, 17]
old_labels = sum(([label] * number for label, number in enumerate(characters)), []) if setting == 'coarse' else None

model = dict(
    head=dict(
        _delete_=True,
        type='mmfct.BackwardCompatibleHead',
        head=_base_.model.head,
        influence=dict(
            checkpoint=old_checkpoint,
            num_classes=dict(half=121, tenth=24, coarse=8)[setting],
            old_labels=old_labels,
            loss_weight=influence_weight,
        ),
    )
)
