"""Rendered clips in the folders of SURREAL (tools/render_surreal_clips.py), cropped to the person."""

data_root = 'data/surreal_clips'
data_hint = 'make it with `python tools/render_surreal_clips.py data/surreal_clips`'
test_split = 'test'  # choose recipes on 'val'
image_size = (64, 64)
batch_size = 16
cache = True  # keep all frames in memory

image_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size_divisor=1,
)
train_set = dict(type='mmfct.Surreal', data_root=data_root, split='train')
test_set = dict(type='mmfct.Surreal', data_root=data_root, split=test_split, test_mode=True)
loading = dict(type='mmfct.LoadSurreal', size=image_size, cache=cache)
packing = dict(type='mmfct.PackPoseInputs')
train_pipeline = [loading, packing]  # neither zoom nor colour helps within a few epochs
test_pipeline = [loading, packing]
