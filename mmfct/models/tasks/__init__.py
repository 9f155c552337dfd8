"""Tasks of a multi-task model: a head, the loss of each instance, and the prediction."""

from mmfct.models.tasks.body_pose_task import BodyPoseTask
from mmfct.models.tasks.depth_task import DepthTask
from mmfct.models.tasks.segmentation_task import SegmentationTask
from mmfct.models.tasks.task import Task

__all__ = ['BodyPoseTask', 'DepthTask', 'SegmentationTask', 'Task']
