"""CIFAR-100 with wrong labels, by the recipe of Data Parameters (Saxena, Tuzel and DeCoste, NeurIPS 2019).

WRN-28-10, batches of 128, SGD 0.1 / 0.9 / 5e-4, a tenth of the rate from epoch 80 on, no dropout. Published accuracy
with 40 % of the images permuted: 50.0 with the plain loss, 71 with a temperature per image, stopped at epoch 84, which
was chosen by cross-validation; 75 with 20 %, 35 with 80 %. The wrong labels are other ones: here they go round in one
cycle among images from everywhere, there the first images are permuted.
"""

_base_ = [
    '../_base_/datasets/cifar100_small.py',
    '../_base_/models/wide_resnet.py',
    '../_base_/classification_losses.py',
    '../_base_/default_runtime.py',
]

seed = 0
corrupted = 0.4  # share of the training images whose labels are permuted among them
weighting = 'data_parameters'  # any name in ../_base_/classification_losses.py
epochs = 84  # the published stop; the rates after it count where it is set later
batch_size = 128
# Published for temperatures and the gradient of the batch mean; the hook steps with that of each image's own loss.
instance_lr = 0.2 / batch_size
work_dir = f'work_dirs/wrn28_cifar100_noisy_{weighting}'

model = dict(
    head=dict(num_classes=_base_.num_classes, loss=dict(_base_.losses[weighting], _delete_=True)),
    data_preprocessor=_base_.image_preprocessor,
)
# Momentum 0.9, no decay, temperatures from 1/20 to 20, a constant rate. The images have no files.
instance_hook = dict(_base_.instance_hook, key='sample_idx')
gradient_hook = dict(_base_.gradient_hook, lr=instance_lr, max_factor=20.0, key='sample_idx')
custom_hooks = dict(plain=_base_.plain_hooks, itp=[instance_hook]).get(weighting, [gradient_hook])
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=_base_.num_workers,
    dataset=dict(
        type='mmfct.CorruptLabels',
        dataset=_base_.train_set,
        fractions=dict(label=corrupted),
        seed=seed,
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
test_dataloader = dict(
    batch_size=500,
    num_workers=_base_.num_workers,
    dataset=_base_.test_set,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_cfg = dict()
test_evaluator = dict(type='Accuracy', topk=(1,))

optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4))
param_scheduler = [dict(type='MultiStepLR', milestones=[80, 100, 160], gamma=0.1, by_epoch=True)]
train_cfg = dict(by_epoch=True, max_epochs=epochs)
auto_scale_lr = dict(base_batch_size=batch_size)
randomness = dict(seed=seed)
