"""VGGFace2, loosely cropped faces in a folder per identity (train/<identity>/*, test/<identity>/*).

The 500 test identities are not among the 8,631 of training.
"""

_base_ = './imagenet.py'

data_root = 'data/vggface2'
num_classes = 8631
old_classes = 863  # in folder order; the paper gives only their number
image_size = 224

image_preprocessor = dict(num_classes=num_classes)
# Faces fill the picture: crops are nearly as large as the image, unlike ImageNet's usual crops of down to 8 %.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=image_size * 8 // 7, edge='short'),
    dict(type='RandomCrop', crop_size=image_size),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]

train_set = dict(data_root=data_root, pipeline=train_pipeline)
test_set = dict(data_root=data_root, data_prefix='test')
two_views_set = dict(data_root=data_root)
