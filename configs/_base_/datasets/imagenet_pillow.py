"""ImageNet's folder format as torchvision, timm and the authors of FCT read it: for encoders that were trained there.

Pillow decodes, keeps the pixels as they are stored (no EXIF rotation), and antialiases when it shrinks. OpenCV, which
`imagenet.py` shrinks with, does not: pixels differ by up to 80 of 255, embeddings by several percent.
"""

_base_ = './imagenet.py'

interpolation = 'bilinear'  # 'bicubic' for most models of timm

loading = dict(type='LoadImageFromFile', color_type='color_ignore_orientation', imdecode_backend='pillow')
resizing = dict(backend='pillow', interpolation=interpolation)
train_pipeline = [
    loading,
    dict(type='RandomResizedCrop', scale=_base_.image_size, **resizing),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    loading,
    dict(type='ResizeEdge', scale=_base_.image_size * 8 // 7, edge='short', **resizing),
    dict(type='CenterCrop', crop_size=_base_.image_size),
    dict(type='PackInputs'),
]

train_set = dict(pipeline=train_pipeline)
test_set = dict(pipeline=test_pipeline)
