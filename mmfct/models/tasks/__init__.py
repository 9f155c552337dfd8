"""Tasks of a multi-task model: a head, the loss of each instance, and the prediction."""

from .body_pose_task import BodyPoseTask
from .depth_task import DepthTask
from .segmentation_task import SegmentationTask

__all__ = ['BodyPoseTask', 'DepthTask', 'SegmentationTask']
