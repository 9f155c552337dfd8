"""BCT on Grocery Store: the new model of FCT, trained so that the old classifier also recognises its embeddings."""

_base_ = '../fct/resnet10_grocery_new.py'

setting = 'half'  # the old model knows: 'half' or a 'tenth' of the products, or 'coarse' labels (coarse products)
influence_weight = 1.0
work_root = 'work_dirs'
work_dir = f'{work_root}/resnet10_grocery_bct_{setting}'

old_checkpoint = f'{work_root}/resnet10_grocery_old_{setting}/final.pth'
prerequisites = [
    dict(config='../fct/resnet10_grocery_old.py', checkpoint=old_checkpoint, cfg_options=dict(setting=setting)),
]
# Products are sorted by coarse product: these are their labels in an old model that knows only those.
products = [5, 1, 1, 1, 1, 1, 1, 4, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 10, 6, 1]
products += [1, 2, 1, 2, 2, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 3, 1, 3, 1]
old_labels = sum(([label] * number for label, number in enumerate(products)), []) if setting == 'coarse' else None

model = dict(
    head=dict(
        _delete_=True,
        type='mmfct.BackwardCompatibleHead',
        head=_base_.model.head,
        influence=dict(
            checkpoint=old_checkpoint,
            num_classes=dict(half=40, tenth=8, coarse=43)[setting],
            old_labels=old_labels,
            loss_weight=influence_weight,
        ),
    )
)
