"""The ResNet-10 of resnet10_gray.py for small colour images, with the stem of an ordinary ResNet."""

_base_ = './resnet10_gray.py'

backbone = dict(resnet='mmpretrain.ResNet', in_channels=3, strides=(1, 2, 2, 1))
model = dict(backbone=backbone)
simclr = dict(backbone=backbone)
