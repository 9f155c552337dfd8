"""Let depth follow the resize of a host."""

from __future__ import annotations

from mmfct.datasets.transforms.resampling import scale_depth
from mmfct.functional.depth_zoom import depth_zoom
from mmfct.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ZoomDepth:
    """Change the values of a depth map as the resize before it has changed the image: a zoom of the camera.

    Put it right after every Resize or RandomResize that is an augmentation. These resize depth as an array and leave
    its values. But a network that sees a crop cannot tell an image that was enlarged by s from one that was taken s
    times nearer, so the values must be those of the nearer scene (see `depth_zoom`).

    Sets ``zoom``, the factor s of all resizes so far. With ``zoom`` and ``depth_target`` among the ``meta_keys`` of
    the packing, `MultiTaskSegmentor` returns predictions of the original image, before the zoom: in test-time
    augmentation, labels are loaded after this transform and keep their values.

    Args:
        depth_target: What the map holds, see `depth_zoom`, where the transform that loads it does not say so, as
            ``mmfct.LoadDisparity`` does. ``'relative_depth'`` keeps the values: for depth that is not metric.

    Raises:
        ValueError: If ``depth_target`` is unknown.
    """

    def __init__(self, depth_target: str | None = None) -> None:
        if depth_target is not None:
            depth_zoom(depth_target, 1.0)
        self.depth_target = depth_target

    def __call__(self, results: dict) -> dict:
        """Scale the depth map, if there is one.

        Args:
            results: The image, what the resize has noted about it, and its maps.

        Raises:
            ValueError: If the image was not resized, or not by the same factor in height and width; or if there is a
                depth map without a ``depth_target``.
        """
        if 'scale_factor' not in results:
            raise ValueError('`pipeline` must resize the image right before mmfct.ZoomDepth, got no `scale_factor`')
        scale, vertical = results['scale_factor']
        height = results['img_shape'][0]
        if abs(height * scale / vertical - height) > 1:  # more than a host rounds
            raise ValueError(
                f'`keep_ratio=True` must be set in the resize before mmfct.ZoomDepth, got the factors {scale:.4g} of '
                f'the width and {vertical:.4g} of the height, which are no zoom'
            )
        if self.depth_target is not None:
            results['depth_target'] = self.depth_target
        results['zoom'] = results.get('zoom', 1.0) * scale
        if 'gt_depth_map' in results:
            scale_depth(results, depth_zoom(results.get('depth_target'), scale))
        return results
