"""Runtime settings of dense tasks whose training is counted in iterations."""

_base_ = 'default_runtime_seg.py'

default_hooks = dict(logger=dict(log_metric_by_epoch=False), checkpoint=dict(by_epoch=False, interval=4000))
log_processor = dict(by_epoch=False)
