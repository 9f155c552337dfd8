"""The new embedding model: a ResNet-50 trained on all 8631 identities with ArcFace."""

_base_ = [
    '../_base_/datasets/vggface2.py',
    '../_base_/models/resnet50_arcface.py',
    '../_base_/schedules/classifier_paper.py',
]

model = dict(head=dict(num_classes=_base_.num_classes), data_preprocessor=_base_.image_preprocessor)
train_dataloader = dict(num_workers=_base_.num_workers, dataset=_base_.train_set)
optim_wrapper = dict(optimizer=dict(lr=0.2))  # ArcFace's 0.1 for 512 images; the paper's own is not known
randomness = dict(seed=10 * _base_.seed + 3)  # each stage has its own seed
