"""Base of small data sets that hold their images in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset


class MemoryImages(BaseDataset):
    """Images in memory with one label each, so that pipelines need no loading transform.

    An annotation has ``img``, ``gt_label``, ``img_path`` (a name, no file), ``img_shape`` and ``ori_shape``.

    Args:
        image_size: Length of the sides, or of the shorter side, of the images.
        **kwargs: Arguments of :class:`mmengine.dataset.BaseDataset`: ``pipeline``, ``test_mode``, ``metainfo``,
            ``indices``, ``serialize_data``, ``lazy_init``, ``max_refetch``.

    Raises:
        ValueError: If ``image_size`` is not positive.
    """

    def __init__(self, *, image_size: int, **kwargs: Any) -> None:
        if image_size < 1:
            raise ValueError(f'`image_size` must be at least 1, got {image_size!r}')
        self.image_size = image_size
        # Fixed, so that a caller who passes one of them gets an error: nothing here would read it.
        super().__init__(ann_file='', data_prefix={}, filter_cfg=None, **kwargs)

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of image ``idx`` as a list, the form that mmengine's samplers expect."""
        return [self.get_data_info(idx)['gt_label']]

    def _decode(self, data: bytes, name: str, flag: int) -> np.ndarray:
        """Decode the content of an image file.

        Args:
            data: Content of the file.
            name: Its name, for the error.
            flag: How OpenCV reads it, such as ``cv2.IMREAD_COLOR``.

        Raises:
            ValueError: If it is not an image.
        """
        import cv2

        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag) if data else None
        if image is None:
            raise ValueError(
                f'{name} in `data_root` is not a readable image; get the file again, got {self.data_root!r}'
            )
        return image


def image_annotation(image: np.ndarray, label: int, path: str) -> dict[str, Any]:
    """Return the annotation of an image of shape (H, W, channels)."""
    size = image.shape[:2]
    return dict(img=image, gt_label=label, img_path=path, img_shape=size, ori_shape=size)
