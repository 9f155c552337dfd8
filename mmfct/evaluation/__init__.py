"""Metrics, scores of embedding sets, and their tables and pictures."""

from mmfct.evaluation.body_error_metric import BodyErrorMetric
from mmfct.evaluation.compatibility_metric import CompatibilityMetric
from mmfct.evaluation.depth_error_metric import DepthErrorMetric
from mmfct.evaluation.part_iou_metric import PartIoUMetric
from mmfct.evaluation.report import compatibility_table

__all__ = ['BodyErrorMetric', 'CompatibilityMetric', 'DepthErrorMetric', 'PartIoUMetric', 'compatibility_table']
