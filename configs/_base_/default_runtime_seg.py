"""Runtime settings of dense tasks: as default_runtime.py, with the components of mmseg."""

_base_ = 'default_runtime.py'

default_scope = 'mmseg'
default_hooks = dict(logger=dict(interval=50))
visualizer = dict(type='SegLocalVisualizer')
