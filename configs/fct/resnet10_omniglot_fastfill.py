"""FastFill on Omniglot: the transformation also learns the classes of the new model, and its own uncertainty."""

_base_ = './resnet10_omniglot.py'

work_dir = f'{_base_.work_root}/resnet10_omniglot_{_base_.setting}_{_base_.side}_{_base_.side_classes}_fastfill'
model = dict(
    head=dict(
        class_loss=dict(type='mmfct.FrozenClassifierLoss', checkpoint=_base_.new_checkpoint, label_smoothing=0.1),
        with_uncertainty=True,
    )
)
