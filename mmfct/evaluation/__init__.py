"""Metrics and the reports made of them."""

from mmfct.evaluation.compatibility_metric import CompatibilityMetric
from mmfct.evaluation.compatibility_report import compatibility_table
from mmfct.evaluation.depth_error_metric import DepthErrorMetric

__all__ = ['CompatibilityMetric', 'DepthErrorMetric', 'compatibility_table']
