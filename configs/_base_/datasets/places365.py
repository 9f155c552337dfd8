"""Places-365, standard set at 256 pixels, in its folder format (train/<class>/*, val/<class>/*)."""

_base_ = './imagenet.py'

data_root = 'data/places365_standard'
num_classes = 365
old_classes = 182  # in folder order; the paper gives only their number

image_preprocessor = dict(num_classes=num_classes)
train_set = dict(data_root=data_root)
test_set = dict(data_root=data_root)
two_views_set = dict(data_root=data_root)
