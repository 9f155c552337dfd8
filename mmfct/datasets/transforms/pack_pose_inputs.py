"""Pack images, maps and body poses as mmseg's data samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.structures import BaseDataElement

from mmfct.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackPoseInputs:
    """mmseg's ``PackSegInputs``, and ``gt_pose`` of ``mmfct.LoadSurreal`` as tensors.

    Args:
        meta_keys: Keys of the meta information.
    """

    def __init__(self, meta_keys: Sequence[str] = ('img_path', 'sample_idx', 'ori_shape', 'img_shape')) -> None:
        self.pack = TRANSFORMS.build(dict(type='PackSegInputs', meta_keys=tuple(meta_keys), _scope_='mmseg'))

    def __call__(self, results: dict) -> dict:
        """Return ``inputs``, a tensor (3, H, W), and ``data_samples``.

        Where there is a pose, the data sample's ``gt_pose`` has ``rotations`` (24, 3, 3), ``shape`` (10,), ``joints``
        (24, 3) in metres, and ``gender`` (), 0 for female.

        Args:
            results: What the transforms pass on.

        Raises:
            ValueError: If the image was flipped, but not its pose.
        """
        if results.get('flip') and results.get('gt_pose') is not None:
            raise ValueError('a pose must not be flipped with its image: leave RandomFlip out of the pipeline')
        packed = self.pack(results)
        pose = results.get('gt_pose')
        if pose is not None:
            element = BaseDataElement(
                rotations=torch.from_numpy(pose['rotations']),
                shape=torch.from_numpy(pose['shape']),
                joints=torch.from_numpy(pose['joints']),
                gender=torch.tensor(pose['gender']),
            )
            packed['data_samples'].set_data({'gt_pose': element})
        return packed
