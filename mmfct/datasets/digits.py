"""The handwritten digits that come with scikit-learn: a data set without a download."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmfct.datasets.memory_images import MemoryImages, image_annotation
from mmfct.registry import DATASETS


@DATASETS.register_module()
class Digits(MemoryImages):
    """The 1,797 8x8 digits of scikit-learn, in a fixed split into ``train`` and ``test``.

    Images are white on black, ``uint8`` of shape (image_size, image_size, 1). The split is stratified and depends on
    ``test_fraction`` and ``seed`` only; no image is in both parts. An image is named after its position in
    scikit-learn's arrays.

    Args:
        split: ``'train'`` or ``'test'``.
        test_fraction: Share of each class that goes to ``test``, above 0 and below 1.
        image_size: Height and width of the images, made by bilinear interpolation from 8 pixels.
        seed: Seed of the split.
        **kwargs: Arguments of mmengine's ``BaseDataset``, see `MemoryImages`.

    Raises:
        ValueError: If an option is out of range.
        ImportError: If scikit-learn is not installed.
    """

    METAINFO = dict(classes=tuple('0123456789'))

    def __init__(
        self,
        split: str = 'train',
        *,
        test_fraction: float = 0.4,
        image_size: int = 16,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if split not in ('train', 'test'):
            raise ValueError(f"`split` must be 'train' or 'test', got {split!r}")
        if not 0 < test_fraction < 1:
            raise ValueError(f'`test_fraction` must be above 0 and below 1, got {test_fraction!r}')
        self.split = split
        self.test_fraction = test_fraction
        self.seed = seed
        super().__init__(image_size=image_size, data_root='', **kwargs)

    def load_data_list(self) -> list[dict]:
        """Scale the images of the split to 0..255 and ``image_size``."""
        import cv2

        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise ImportError('mmfct.Digits needs scikit-learn: pip install scikit-learn') from error

        digits = load_digits()
        size = (self.image_size, self.image_size)
        data_list = []
        for index in self._split_indices(digits.target):
            img = np.rint(digits.images[index] * (255 / 16)).astype(np.uint8)
            img = cv2.resize(img, size, interpolation=cv2.INTER_LINEAR)[..., None]
            data_list.append(image_annotation(img, int(digits.target[index]), f'digits/{index:04d}'))
        return data_list

    def _split_indices(self, labels: np.ndarray) -> np.ndarray:
        """Return the sorted positions of the images of the split, given labels of shape (I,)."""
        # Done here and not with scikit-learn, whose splits may change from version to version.
        rng = np.random.default_rng(self.seed)
        in_test = np.zeros(len(labels), dtype=bool)
        for label in range(len(self.METAINFO['classes'])):
            members = rng.permutation(np.flatnonzero(labels == label))
            num_test = round(len(members) * self.test_fraction)
            if not 0 < num_test < len(members):
                raise ValueError(
                    f'`test_fraction` must leave an image of every digit in both splits, got {self.test_fraction!r}'
                )
            in_test[members[:num_test]] = True
        return np.flatnonzero(in_test == (self.split == 'test'))
