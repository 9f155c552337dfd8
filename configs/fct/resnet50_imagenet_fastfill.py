"""FastFill on ImageNet: the transformation also learns the classes of the new model, and its own uncertainty."""

_base_ = './resnet50_imagenet.py'

work_dir = f'{_base_.work_root}/resnet50_imagenet_fastfill'
model = dict(
    head=dict(
        class_loss=dict(type='mmfct.FrozenClassifierLoss', checkpoint=_base_.new_checkpoint, label_smoothing=0.1),
        with_uncertainty=True,
    )
)
