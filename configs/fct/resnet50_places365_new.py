"""Stage 4: the new embedding model, trained on all 365 classes as anybody would."""

_base_ = [
    '../_base_/datasets/places365.py',
    '../_base_/models/resnet50.py',
    '../_base_/schedules/classifier_paper.py',
    '../_base_/default_runtime.py',
]

seed = 0

model = dict(
    _base_.classifier,
    head=dict(_base_.classifier.head, num_classes=_base_.num_classes),
    data_preprocessor=_base_.image_preprocessor,
)
train_dataloader = dict(
    batch_size=_base_.batch_size,
    num_workers=_base_.num_workers,
    dataset=dict(_base_.train_set, pipeline=_base_.train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
randomness = dict(seed=10 * seed + 3)  # each stage draws weights of its own
