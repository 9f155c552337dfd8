"""The ResNet-50 of resnet50.py with an ArcFace classifier, which learns angles to class centres (arXiv 1801.07698)."""

_base_ = './resnet50.py'

model = dict(
    head=dict(
        _delete_=True,
        type='ArcFaceClsHead',
        num_classes=None,  # set by the config
        in_channels=_base_.embedding_dims,
        scale=64.0,
        margins=0.5,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    )
)
