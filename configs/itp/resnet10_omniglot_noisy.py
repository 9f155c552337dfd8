"""Classification with wrong labels on the eight alphabets of Omniglot: a temperature per training image.

Alphabets and not characters: of the fourteen drawings of a character six are wrong, which no loss can see through.
Without augmentation, as with the digits.
"""

_base_ = [
    '../_base_/datasets/omniglot.py',
    '../_base_/models/resnet10_gray.py',
    '../_base_/schedules/classifier_sgd.py',
    '../_base_/classification_losses.py',
]

seed = 0
corrupted = 0.4  # share of the training images whose labels are permuted among them
weighting = 'data_parameters'  # any name in ../_base_/classification_losses.py
num_classes = 8
# Chosen on drawers 12 to 14.
learning_rate = 0.2
instance_lr = 0.1  # of 'data_parameters' and 'itp_gradient'
instance_max_factor = 4.0 if weighting == 'itp_gradient' else 20.0  # weights of log-variances grow fast
batch_size = 64
work_dir = f'work_dirs/resnet10_omniglot_noisy_{weighting}'

model = dict(
    head=dict(num_classes=num_classes, loss=dict(_base_.losses[weighting], _delete_=True)),
    data_preprocessor=dict(_base_.image_preprocessor, num_classes=num_classes),
)
gradient_hook = dict(_base_.gradient_hook, lr=instance_lr, max_factor=instance_max_factor)
custom_hooks = dict(plain=_base_.plain_hooks, itp=[_base_.instance_hook]).get(weighting, [gradient_hook])
train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(
        type='mmfct.CorruptLabels',
        dataset=dict(_base_.train_set, labels='alphabet', pipeline=_base_.test_pipeline),
        fractions=dict(label=corrupted),
        seed=seed,
    ),
)
test_dataloader = dict(
    batch_size=256,
    num_workers=0,
    dataset=dict(_base_.test_set, labels='alphabet'),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_cfg = dict()
test_evaluator = dict(type='Accuracy', topk=(1,))
optim_wrapper = dict(optimizer=dict(lr=learning_rate))
randomness = dict(seed=seed)
