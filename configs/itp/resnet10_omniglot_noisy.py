"""Classification with wrong labels on the 242 characters of Omniglot: a temperature per training image.

Augmentation, epochs and rate of the network are those of configs/fct/resnet10_omniglot_new.py, which has right labels:
without augmentation the fourteen drawings of a character, five of them wrong, are too few.
"""

_base_ = [
    '../_base_/datasets/omniglot.py',
    '../_base_/models/resnet10_gray.py',
    '../_base_/schedules/classifier_sgd.py',
    '../_base_/classification_losses.py',
    '../_base_/default_runtime.py',
]

seed = 0
corrupted = 0.4  # share of the training images whose labels are permuted among them
weighting = 'data_parameters'  # any name in ../_base_/classification_losses.py
# Those of the digits.
instance_lr = 0.1
instance_max_factor = 4.0 if weighting == 'itp' else 20.0  # weights of log-variances grow fast
batch_size = 64
work_dir = f'work_dirs/resnet10_omniglot_noisy_{weighting}'

model = dict(
    _base_.classifier,
    head=dict(_base_.classifier.head, num_classes=_base_.num_classes, loss=_base_.losses[weighting]),
    data_preprocessor=_base_.image_preprocessor,
)
instance_hook = dict(_base_.instance_hook, lr=instance_lr, max_factor=instance_max_factor)
custom_hooks = [] if weighting == 'plain' else [instance_hook]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(
        type='mmfct.CorruptLabels',
        dataset=dict(_base_.train_set, pipeline=_base_.train_pipeline),
        fractions=dict(label=corrupted),
        seed=seed,
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
test_dataloader = dict(
    batch_size=256,
    num_workers=0,
    dataset=dict(_base_.test_set, pipeline=_base_.test_pipeline, test_mode=True),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_cfg = dict()
test_evaluator = dict(type='Accuracy', topk=(1,))
randomness = dict(seed=seed)
