"""Metrics and the reports made of them."""

from mmfct.evaluation.body_error_metric import BodyErrorMetric
from mmfct.evaluation.compatibility_metric import CompatibilityMetric
from mmfct.evaluation.compatibility_report import compatibility_table
from mmfct.evaluation.depth_error_metric import DepthErrorMetric
from mmfct.evaluation.part_iou_metric import PartIoUMetric

__all__ = ['BodyErrorMetric', 'CompatibilityMetric', 'DepthErrorMetric', 'PartIoUMetric', 'compatibility_table']
