"""Segmentation and depth by the names that ``tasks`` of a config takes, what measures them, and their weightings."""

_base_ = './task_weightings.py'

seg_task = dict(type='mmfct.SegmentationTask')
seg_loss = dict(type='CrossEntropyLoss', avg_non_ignore=True)
depth_task = dict(type='mmfct.DepthTask', error='l1')
evaluators = dict(seg=dict(type='IoUMetric', iou_metrics=['mIoU']), depth=dict(type='mmfct.DepthErrorMetric'))
