"""The transformation stage with the paper's batch of 1024."""

_base_ = './transform.py'

train_dataloader = dict(batch_size=128)  # per GPU, for 8 GPUs
auto_scale_lr = dict(base_batch_size=1024)
