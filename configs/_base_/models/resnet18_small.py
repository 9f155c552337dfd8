"""A ResNet-18 of half the usual width (32-64-128-256 channels) for colour images of 32 to 128 pixels."""

_base_ = './resnet10_rgb.py'

base_channels = 32

backbone = dict(blocks_per_stage=2, stem_channels=base_channels, base_channels=base_channels)
model = dict(backbone=backbone)
simclr = dict(backbone=backbone)
