"""Load CityScapes' disparity maps as disparity, depth or inverse depth."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from mmfct.datasets.label_errors import MapLoader, wrong_map
from mmfct.datasets.transforms.map_files import check_size, image_size, is_bare, read_npy, read_png
from mmfct.functional.measured_depth import is_largest
from mmfct.registry import TRANSFORMS

_TARGETS = ('inverse_depth', 'depth', 'disparity')


@TRANSFORMS.register_module()
class LoadDisparity(MapLoader):
    """Load a disparity map from a 16-bit PNG file, or inverse depth from a ``.npy`` file.

    A pixel p > 0 of the PNG file stands for the disparity d = (p - 1) / 256 pixels; with the focal length f in pixels
    and the baseline b in metres of the camera file, the inverse depth is d / (f b), in 1 / metre. Unknown pixels (p is
    0 or 65535, the largest number), and those at infinity (d = 0), are 0 in every target. The values of a ``.npy``
    file are not converted; those below 0 are unknown.

    Sets ``gt_depth_map``, float32 of shape (H, W), adds it to ``seg_fields``, and sets ``depth_target``. An image
    whose ``depth_map_path`` is None is 0 everywhere, like one without any known pixel: both are not annotated. An
    image that does not come from a data set is passed on. Needs the image, which must have the size of the map.

    Args:
        target: ``'inverse_depth'``; ``'depth'``, in metres, needs a camera file; ``'disparity'``, in pixels of the
            file (``mmfct.ResizeWithMaps`` rescales it with the image, a host's resize only with ``mmfct.ZoomDepth``
            after it). Without a camera file, inverse depth is disparity divided by the width of the image: correct up
            to a factor that all images of one camera share.
        npy_holds: Which of these ``.npy`` files hold, for which ``target`` must be the same: ``'inverse_depth'`` for
            the pre-processed form of CityScapes, ``'depth'`` for that of NYUv2.

    Raises:
        ValueError: If an option is not one of these.
    """

    error_tasks = ('depth',)

    def __init__(self, target: str = 'inverse_depth', *, npy_holds: str = 'inverse_depth') -> None:
        for name, value in dict(target=target, npy_holds=npy_holds).items():
            if value not in _TARGETS:
                raise ValueError(f'`{name}` must be one of {_TARGETS}, got {value!r}')
        self.target = target
        self.npy_holds = npy_holds

    def __call__(self, results: dict) -> dict:
        """Load the depth map.

        Args:
            results: Annotation of the image, and the image.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If a file is damaged, does not have 16 bits, differs in size from the image, or has values that
                are not finite; or if these files do not give the target.
        """
        if is_bare(results, 'depth_map_path'):
            return results
        path = results['depth_map_path']
        if path is None:
            depth_map = np.zeros(image_size(results), np.float32)
        else:
            depth_map = wrong_map(results, 'depth', self._read(results), self._read)
        check_size(depth_map, results, path)
        results['gt_depth_map'] = depth_map
        results['depth_target'] = self.target
        results.setdefault('seg_fields', []).append('gt_depth_map')
        return results

    def _read(self, annotation: dict) -> np.ndarray:
        """Return the target from the file of an annotation, float32 of shape (H, W)."""
        path = annotation['depth_map_path']
        if path.endswith('.npy'):
            return self._read_npy(path)
        return self._read_disparity(path, annotation.get('camera_path'))

    def _read_npy(self, path: str) -> np.ndarray:
        """Return the values of a ``.npy`` file, float32 of shape (H, W)."""
        if self.target != self.npy_holds:
            raise ValueError(
                f'`target` must be {self.npy_holds!r} for {path}, got {self.target!r}; if .npy files hold something '
                'else, say so with `npy_holds`'
            )
        values = read_npy(path)
        if values.ndim == 3 and values.shape[2] == 1:
            values = values[..., 0]
        return values.astype(np.float32).clip(min=0)

    def _read_disparity(self, path: str, camera_path: str | None) -> np.ndarray:
        """Return the target from a PNG file, float32 of shape (H, W)."""
        pixels = read_png(path)
        if pixels.dtype != np.uint16 or pixels.ndim != 2:
            raise ValueError(
                f'{path} must be a PNG image of 16 bits and one channel, got {pixels.dtype} of shape {pixels.shape}'
            )
        disparity = np.where(is_largest(pixels), 0, np.maximum(pixels, 1) - 1).astype(np.float32) / 256
        if self.target == 'disparity':
            return disparity
        if camera_path is not None:
            inverse_depth = disparity / np.float32(self._read_camera(camera_path))
        elif self.target == 'inverse_depth':
            inverse_depth = disparity / np.float32(pixels.shape[1])
        else:
            raise ValueError(f"`target` must not be 'depth' without a camera file, got none for {path}")
        if self.target == 'inverse_depth':
            return inverse_depth
        return np.divide(1, inverse_depth, out=np.zeros_like(inverse_depth), where=inverse_depth > 0)

    @staticmethod
    def _read_camera(path: str) -> float:
        """Return focal length times baseline, in pixels times metres, of a camera file."""
        try:
            camera = json.loads(Path(path).read_text(encoding='utf-8'))
            factor = float(camera['intrinsic']['fx']) * float(camera['extrinsic']['baseline'])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'{path} must be a camera file with numbers intrinsic.fx and extrinsic.baseline, got {error!r}'
            ) from error
        if not (math.isfinite(factor) and factor > 0):
            raise ValueError(f'{path} must have intrinsic.fx and extrinsic.baseline above 0, got the product {factor}')
        return factor
