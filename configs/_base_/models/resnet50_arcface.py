"""The models of resnet50.py, with classifiers that learn angles to the centres of their classes (arXiv 1801.07698)."""

_base_ = './resnet50.py'

classifier = dict(
    head=dict(
        _delete_=True,
        type='ArcFaceClsHead',
        num_classes=None,  # set by the config of the stage
        in_channels=_base_.embedding_dims,
        scale=64.0,
        margins=0.5,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    )
)
