"""Metrics and the reports made of them."""

from mmfct.evaluation.compatibility_metric import CompatibilityMetric
from mmfct.evaluation.compatibility_report import compatibility_table

__all__ = ['CompatibilityMetric', 'compatibility_table']
