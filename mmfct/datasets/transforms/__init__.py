"""Transforms of images, label maps, depth maps and body poses."""

from mmfct.datasets.transforms.load_disparity import LoadDisparity
from mmfct.datasets.transforms.load_label_map import LoadLabelMap
from mmfct.datasets.transforms.load_npy_image import LoadNpyImage
from mmfct.datasets.transforms.load_surreal import LoadSurreal
from mmfct.datasets.transforms.pack_pose_inputs import PackPoseInputs
from mmfct.datasets.transforms.random_zoom_crop import RandomZoomCrop
from mmfct.datasets.transforms.resize_with_maps import ResizeWithMaps
from mmfct.datasets.transforms.zoom_depth import ZoomDepth

__all__ = [
    'LoadDisparity',
    'LoadLabelMap',
    'LoadNpyImage',
    'LoadSurreal',
    'PackPoseInputs',
    'RandomZoomCrop',
    'ResizeWithMaps',
    'ZoomDepth',
]
