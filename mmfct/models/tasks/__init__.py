"""Dense tasks of a multi-task model: a head, the loss of each instance, and the prediction."""

from .depth_task import DepthTask
from .segmentation_task import SegmentationTask

__all__ = ['DepthTask', 'SegmentationTask']
