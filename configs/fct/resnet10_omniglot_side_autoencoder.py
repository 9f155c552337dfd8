"""Side-information from another source: the code of an autoencoder, from images without their labels."""

_base_ = './resnet10_omniglot_side.py'

model = dict(
    _delete_=True,
    type='mmfct.Autoencoder',
    backbone=_base_.backbone,
    code_dims=_base_.embedding_dims,
    image_size=_base_.image_size,
    image_channels=1,
    data_preprocessor=dict(_base_.normalization, type='ClsDataPreprocessor'),
)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='Adam', lr=2e-3))
train_dataloader = dict(dataset=dict(dataset=_base_.train_set))
randomness = dict(seed=10 * _base_.seed + 5)  # each stage has its own seed
