"""Stage 1: the old embedding model, a ResNet-18 trained on the first 863 identities with ArcFace."""

_base_ = [
    '../_base_/datasets/vggface2.py',
    '../_base_/models/resnet50_arcface.py',
    '../_base_/schedules/classifier_paper.py',
    '../_base_/default_runtime.py',
]

seed = 0
old_depth = 18

model = dict(
    _base_.classifier,
    backbone=dict(_base_.backbone, depth=old_depth),
    head=dict(_base_.classifier.head, num_classes=_base_.num_classes),
    data_preprocessor=_base_.image_preprocessor,
)
optim_wrapper = dict(optimizer=dict(lr=0.2))  # ArcFace's 0.1 for 512 images; the paper's own is not known
train_dataloader = dict(
    batch_size=_base_.batch_size,
    num_workers=_base_.num_workers,
    dataset=dict(
        type='mmfct.ClassSubset',
        num_classes=_base_.old_classes,
        dataset=dict(_base_.train_set, pipeline=_base_.train_pipeline),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
randomness = dict(seed=10 * seed + 0)  # each stage draws weights of its own
