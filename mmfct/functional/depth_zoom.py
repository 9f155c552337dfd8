"""What a zoom does to the values of a depth map."""

from __future__ import annotations

# The exponent of s by which a zoom by s multiplies them.
_EXPONENTS = dict(depth=-1, inverse_depth=1, disparity=1, relative_depth=0)


def depth_zoom(target: str | None, scale: float) -> float:
    """Return the factor by which a zoom multiplies the values of a depth map.

    An image that is enlarged by s shows everything as a camera of the same focal length would from s times nearer. So
    depth is divided by s, and inverse depth and disparity are multiplied by it. Depth relative to a point of a person
    is unchanged.

    Args:
        target: What the map holds: ``'depth'``, ``'inverse_depth'``, ``'disparity'`` or ``'relative_depth'``.
        scale: The factor s of the zoom, above 1 where the image is enlarged.

    Raises:
        ValueError: If the target is unknown.
    """
    if target not in _EXPONENTS:
        raise ValueError(
            f'`depth_target` must say what `gt_depth_map` holds, one of {tuple(_EXPONENTS)} (mmfct.LoadDisparity '
            'or an option of the zoom; to undo a zoom in a prediction, `meta_keys` of the packing must name it), '
            f'got {target!r}'
        )
    return scale ** _EXPONENTS[target]
