"""The new embedding model with another loss: it learns angles to the centres of its classes (ArcFace)."""

_base_ = './resnet10_omniglot_new.py'

# Chosen from a few values on held-out training images (drawers 12 to 14); the learning rate is unchanged.
scale = 16.0
margin = 0.3

model = dict(
    head=dict(
        _delete_=True,
        type='ArcFaceClsHead',
        num_classes=_base_.num_classes,
        in_channels=_base_.embedding_dims,
        scale=scale,
        margins=margin,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    )
)
