"""SURREAL: frames with depth, body parts, and the pose and shape of SMPL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset

from mmfct.datasets.smpl_skeleton import PALETTE, PARTS
from mmfct.datasets.surreal_index import load_index
from mmfct.registry import DATASETS

_FRAMES = ('all', 'middle')


@DATASETS.register_module()
class Surreal(BaseDataset):
    """Frames of SURREAL's clips (Varol et al., "Learning from Synthetic Humans", CVPR 2017).

    This data set collects file names; ``mmfct.LoadSurreal`` reads the files. An item is a frame: ``img_path``,
    ``depth_map_path``, ``seg_map_path`` and ``pose_path`` are files with ``#`` and the number of the frame, from 1, so
    that each frame is an instance with its own key, and each task can be permuted independently.

    The first use of a split scans all clips and writes an index. Broken clips are skipped and listed there; frames
    without a person are left out.

    Args:
        data_root: Folder with ``cmu``.
        split: ``'train'``, ``'val'`` or ``'test'``.
        runs: Runs to keep, such as ``(0,)``; ``None`` for all. Their clips overlap by 50, 30 and 70 %.
        exclude: Prefixes of the sequences to leave out, such as ``('143_21', 'ung_143_21')``: about half of the names
            start with ``ung_``.
        frames: ``'all'``, or ``'middle'`` for the middle frame of each clip, on which SURREAL is evaluated: frame
            ``ceil(T / 2)`` of T, from 1. A clip whose middle frame does not show a person is left out.
        frame_step: Of all frames, keep every n-th of a clip.
        index_file: JSON file of the index; ``None`` for ``surreal_{split}.json`` in ``data_root``.
        metainfo: Overrides of the meta information.
        **kwargs: Further arguments of :class:`mmengine.dataset.BaseDataset`: ``pipeline``, ``test_mode`` (a
            frame that cannot be read is an error; otherwise another one takes its place), ``indices``,
            ``serialize_data``, ``lazy_init``, ``max_refetch``.

    Raises:
        ValueError: If an option is out of range, or nothing is left.
        FileNotFoundError: If there is no clip.
    """

    def __init__(
        self,
        data_root: str,
        *,
        split: str = 'train',
        runs: Sequence[int] | None = None,
        exclude: Sequence[str] = (),
        frames: str = 'all',
        frame_step: int = 1,
        index_file: str | None = None,
        metainfo: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if frames not in _FRAMES:
            raise ValueError(f'`frames` must be one of {_FRAMES}, got {frames!r}')
        if frame_step < 1:
            raise ValueError(f'`frame_step` must be at least 1, got {frame_step!r}')
        if isinstance(exclude, str):
            raise ValueError(f'`exclude` must be a sequence of names, got {exclude!r}')
        self.split, self.runs, self.frames, self.frame_step = split, runs, frames, frame_step
        self.exclude = tuple(exclude)
        self.index_file = index_file
        # `reduce_zero_label` and `label_map`, here and per frame, are what mmseg asks its data sets for.
        palette = [list(color) for color in PALETTE]
        defaults = dict(classes=PARTS, palette=palette, reduce_zero_label=False, label_map=None)
        super().__init__(
            metainfo=defaults | dict(metainfo or {}),
            data_root=data_root,
            # Fixed, so that a caller who passes one of them gets an error: nothing here would read it.
            ann_file='',
            data_prefix={},
            filter_cfg=None,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Collect the frames, sorted by run, sequence, clip and number."""
        root = Path(self.data_root).expanduser()
        path = Path(self.index_file).expanduser() if self.index_file else root / f'surreal_{self.split}.json'
        index = load_index(root, self.split, path)
        kept = None if self.runs is None else {f'run{run}' for run in self.runs}
        found = []
        for name, gender, numbers, count in index['clips']:
            _, _, run, sequence, _ = name.split('/')
            if (kept is not None and run not in kept) or sequence.startswith(self.exclude):
                continue
            middle = [number for number in numbers if number == (count + 1) // 2]
            for number in middle if self.frames == 'middle' else numbers[:: self.frame_step]:
                found.append(self._annotation(root / name, gender, number))
        if not found:
            raise ValueError(
                f'`runs` and `exclude` must leave a frame with a person in the split {self.split!r} of {str(root)!r}, '
                f'got {self.runs!r} and {self.exclude!r}'
            )
        return found

    def _annotation(self, stem: Path, gender: str, number: int) -> dict:
        return dict(
            img_path=f'{stem}.mp4#{number}',
            depth_map_path=f'{stem}_depth.mat#{number}',
            seg_map_path=f'{stem}_segm.mat#{number}',
            pose_path=f'{stem}_info.mat#{number}',
            gender=gender,
            skip_broken=not self.test_mode,
            reduce_zero_label=False,
            label_map=None,
            seg_fields=[],
        )
