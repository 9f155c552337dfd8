"""Load images of the pre-processed form of CityScapes."""

from __future__ import annotations

import numpy as np

from mmfct.datasets.transforms.map_files import read_npy
from mmfct.registry import TRANSFORMS

_TOLERANCE = 0.01  # resizing may overshoot a little


@TRANSFORMS.register_module()
class LoadNpyImage:
    """Load an image from a ``.npy`` file of shape (H, W, 3), RGB in [0, 1].

    The result is what the hosts load from a picture: BGR from 0 to 255. A data preprocessor with mean 0, standard
    deviation 255 and ``bgr_to_rgb=True`` restores the numbers of the file.

    Sets ``img`` of shape (H, W, 3), ``img_shape`` and ``ori_shape``; needs ``img_path``.

    Args:
        to_float32: Whether to return float32, which keeps the numbers of the file. Otherwise the image is rounded to
            uint8, which the hosts' photometric transforms need.
    """

    def __init__(self, *, to_float32: bool = False) -> None:
        self.to_float32 = to_float32

    def __call__(self, results: dict) -> dict:
        """Load the image.

        Args:
            results: Annotation of the image.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, or not an RGB image in [0, 1].
        """
        path = results['img_path']
        image = read_npy(path)
        if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(f'{path} must hold an image of shape (H, W, 3), got {image.shape}')
        low, high = float(image.min()), float(image.max())
        if image.dtype.kind != 'f' or low < -_TOLERANCE or high > 1 + _TOLERANCE:
            raise ValueError(f'{path} must hold floats from 0 to 1, got {image.dtype} from {low:g} to {high:g}')
        image = np.ascontiguousarray(image[..., ::-1].clip(0, 1), dtype=np.float32) * 255
        results['img'] = image if self.to_float32 else np.rint(image).astype(np.uint8)
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results
