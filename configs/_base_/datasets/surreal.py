"""SURREAL, or rendered clips in its folders (tools/render_surreal_clips.py), cropped to the person."""

data_root = 'data/surreal'
runs = None  # such as (0,): those of one run overlap less
exclude = ('18_', '19_', '143_21', 'ung_18_', 'ung_19_', 'ung_143_21')  # known to be bad
frame_step = 10  # frames of a clip hardly differ: keep every n-th for training
test_frames = 'middle'  # of each clip, as SURREAL is evaluated
image_size = (256, 256)
batch_size = 32
num_workers = 8
zooms = (1.0, 1.1, 1.2, 1.3)
cache = False  # keep all frames in memory

image_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size_divisor=1,
)
train_set = dict(
    type='mmfct.Surreal', data_root=data_root, split='train', runs=runs, exclude=exclude, frame_step=frame_step
)
val_set = dict(type='mmfct.Surreal', data_root=data_root, split='val', frames=test_frames, test_mode=True)
test_set = dict(val_set, split='test')
loading = dict(type='mmfct.LoadSurreal', size=image_size, cache=cache)
packing = dict(type='mmfct.PackPoseInputs')
train_pipeline = [
    loading,
    dict(type='mmfct.RandomZoomCrop', scales=zooms),
    dict(type='PhotoMetricDistortion'),
    packing,
]
val_pipeline = [loading, packing]
