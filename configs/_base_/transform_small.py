"""The transformation stage of small data sets, whose epochs have few iterations."""

_base_ = './transform.py'

train_dataloader = dict(batch_size=256)
# Four times the paper's rate, chosen on held-out training images of Omniglot.
optim_wrapper = dict(optimizer=dict(lr=2e-3))
