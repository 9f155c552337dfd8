"""Stage 4: the new embedding model, trained on all products as anybody would."""

_base_ = [
    '../_base_/datasets/grocery.py',
    '../_base_/models/resnet10_rgb.py',
    '../_base_/schedules/classifier_sgd.py',
    '../_base_/default_runtime.py',
]

seed = 0

model = dict(
    _base_.classifier,
    head=dict(_base_.classifier.head, num_classes=_base_.num_classes),
    data_preprocessor=_base_.image_preprocessor,
)
optim_wrapper = dict(optimizer=dict(lr=0.2))
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(_base_.train_set, pipeline=_base_.train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
randomness = dict(seed=10 * seed + 3)  # each stage draws weights of its own
