"""Load a frame of SURREAL, cropped to the person, with its labels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from mmfct.datasets.label_errors import FIELD, MapLoader, wrong_map
from mmfct.datasets.smpl_skeleton import PART_OF_LABEL
from mmfct.datasets.surreal_camera import HEIGHT, WIDTH, to_camera, to_world
from mmfct.datasets.surreal_files import SUFFIXES, ClipInfo, read_frame, read_info, read_map
from mmfct.datasets.transforms.person_crop import crop_image, crop_map, person_box
from mmfct.registry import TRANSFORMS

_NOBODY = 1e9  # metres; the depth of the background is 1e10
_IGNORED = 255
_LABELS = ('depth_map_path', 'seg_map_path', 'pose_path')


@TRANSFORMS.register_module()
class LoadSurreal(MapLoader):
    """Load the files that ``mmfct.Surreal`` lists, and crop them to the person.

    Sets ``img``, BGR of shape (H, W, 3); ``gt_depth_map``, depth behind the pelvis in metres, NaN in the background
    (``depth_target`` is ``'relative_depth'``); ``gt_seg_map``, the 14 parts, 0 for the background; and ``gt_pose``:
    ``rotations`` (24, 3, 3), relative to the parent joint, that of the pelvis in the world; ``shape`` (10,);
    ``joints`` (24, 3) in the world, in metres from the pelvis; and ``gender``. A task whose path is None is not
    annotated. A label of another frame (``mmfct.CorruptLabels``) is cropped around the person of *that* frame.

    Args:
        size: Height and width of the crop.
        margin: Side of the crop, as a multiple of the larger extent of the joints.
        cache: Whether to keep every frame in memory after this transform.

    Raises:
        ValueError: If an option is out of range.
    """

    error_tasks = ('depth', 'seg', 'parts')

    def __init__(self, size: Sequence[int] = (256, 256), *, margin: float = 1.4, cache: bool = False) -> None:
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'`size` must be (height, width), both at least 1, got {size!r}')
        if not margin > 0:
            raise ValueError(f'`margin` must be above 0, got {margin!r}')
        self.size = (int(size[0]), int(size[1]))
        self.margin = margin
        self.skipped = 0
        self._cache: dict[tuple, dict] | None = {} if cache else None

    def __call__(self, results: dict) -> dict | None:
        """Load a frame.

        Args:
            results: Its annotation.

        Returns:
            The annotation with what was loaded; ``None`` if a file is broken and ``skip_broken`` is set.

        Raises:
            FileNotFoundError: If a file is missing, and ``skip_broken`` is not set.
            ValueError: If one is broken.
        """
        key = (results['img_path'], *[results.get(field) for field in _LABELS], repr(results.get(FIELD)))
        if self._cache is not None and key in self._cache:
            return {**results, **self._cache[key], 'seg_fields': ['gt_depth_map', 'gt_seg_map']}
        try:
            loaded = self._load(*key[:-1])
            if results.get(FIELD):
                self._make_wrong(loaded, results)
        except (FileNotFoundError, ValueError) as error:
            if not results.get('skip_broken'):
                raise
            self.skipped += 1
            warnings.warn(f'frame skipped, number {self.skipped} in this process: {error}', stacklevel=2)
            return None
        if self._cache is not None:
            self._cache[key] = loaded
        return {**results, **loaded, 'seg_fields': ['gt_depth_map', 'gt_seg_map']}

    def _make_wrong(self, loaded: dict, results: dict) -> None:
        """Make the maps of a frame wrong, in place, as its annotation says."""
        if results.get('depth_map_path'):
            loaded['gt_depth_map'] = wrong_map(
                results, 'depth', loaded['gt_depth_map'], lambda donor: self._depth(*_split(donor['depth_map_path']))
            )
        for task in ('seg', 'parts') if results.get('seg_map_path') else ():
            loaded['gt_seg_map'] = wrong_map(
                results, task, loaded['gt_seg_map'], lambda donor: self._parts(*_split(donor['seg_map_path']))
            )

    def _load(self, image: str, depth: str | None, parts: str | None, pose: str | None) -> dict:
        path, frame = _split(image)
        info = read_info(_stem(path) + '_info.mat')
        picture = crop_image(read_frame(path, frame), self._box(info, frame), self.size)
        loaded: dict = dict(img=picture, img_shape=self.size, ori_shape=self.size, depth_target='relative_depth')
        loaded['gt_depth_map'] = self._depth(*_split(depth)) if depth else np.full(self.size, np.nan, np.float32)
        loaded['gt_seg_map'] = self._parts(*_split(parts)) if parts else np.full(self.size, _IGNORED, np.uint8)
        loaded['gt_pose'] = _pose(*_split(pose)) if pose else None
        return loaded

    def _box(self, info: ClipInfo, frame: int) -> tuple[int, int, int]:
        # Joints of a person close to the camera may lie far outside the image.
        size = np.array([WIDTH, HEIGHT])
        return person_box(info.joints2d[frame - 1].clip(-size, 2 * size), self.margin)

    def _depth(self, path: str, frame: int) -> np.ndarray:
        """Return depth relative to the pelvis, NaN in the background, float32 of shape (H, W)."""
        info = read_info(_stem(path) + '_info.mat')
        depth = read_map(path, 'depth', frame)
        pelvis = to_camera(info.joints3d[frame - 1, 0], info.camera)[2]
        relative = np.where(depth < _NOBODY, depth - pelvis, np.nan).astype(np.float32)
        return crop_map(relative, self._box(info, frame), self.size, np.nan)

    def _parts(self, path: str, frame: int) -> np.ndarray:
        """Return parts from 0 to 14, uint8 of shape (H, W)."""
        info = read_info(_stem(path) + '_info.mat')
        labels = read_map(path, 'segm', frame)
        if labels.max() >= len(PART_OF_LABEL):
            raise ValueError(f'{path} must hold labels from 0 to {len(PART_OF_LABEL) - 1}, got {labels.max()}')
        return crop_map(PART_OF_LABEL[labels], self._box(info, frame), self.size, 0)


def _pose(path: str, frame: int) -> dict:
    """Return pose, shape, joints and gender of a frame."""
    from scipy.spatial.transform import Rotation

    info, row = read_info(path), frame - 1
    rotations = Rotation.from_rotvec(info.pose[row].reshape(-1, 3)).as_matrix()
    rotations[0] = to_world(float(info.zrot.flat[row])) @ rotations[0]
    joints = info.joints3d[row] - info.joints3d[row, 0]
    return dict(
        rotations=rotations.astype(np.float32),
        shape=info.shape[row].astype(np.float32),
        joints=joints.astype(np.float32),
        gender=int(info.gender.flat[row]),
    )


def _split(path: str) -> tuple[str, int]:
    """Return the file and the number of the frame."""
    file, _, frame = path.rpartition('#')
    return file, int(frame)


def _stem(path: str) -> str:
    """Return the path of a clip's files without their suffixes."""
    for suffix in SUFFIXES:
        path = path.removesuffix(suffix)
    return path
