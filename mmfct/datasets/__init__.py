"""Data sets of mmfct."""

from mmfct.datasets.batch_collate import batch_collate
from mmfct.datasets.cityscapes_multi_task import CityscapesMultiTask
from mmfct.datasets.class_subset import ClassSubset
from mmfct.datasets.clean_instances import CleanInstances
from mmfct.datasets.corrupt_labels import CorruptLabels
from mmfct.datasets.cut_mix_images import CutMixImages
from mmfct.datasets.digits import Digits
from mmfct.datasets.embedding_table import EmbeddingTable
from mmfct.datasets.grocery_store import GroceryStore
from mmfct.datasets.image_files import ImageFiles
from mmfct.datasets.omniglot import Omniglot
from mmfct.datasets.surreal import Surreal
from mmfct.datasets.transforms import (
    LoadDisparity,
    LoadLabelMap,
    LoadNpyImage,
    LoadSurreal,
    PackPoseInputs,
    RandomZoomCrop,
    ResizeWithMaps,
    ZoomDepth,
)

__all__ = [
    'CityscapesMultiTask',
    'ClassSubset',
    'CleanInstances',
    'CorruptLabels',
    'CutMixImages',
    'Digits',
    'EmbeddingTable',
    'GroceryStore',
    'ImageFiles',
    'LoadDisparity',
    'LoadLabelMap',
    'LoadNpyImage',
    'LoadSurreal',
    'Omniglot',
    'PackPoseInputs',
    'RandomZoomCrop',
    'ResizeWithMaps',
    'Surreal',
    'ZoomDepth',
    'batch_collate',
]
