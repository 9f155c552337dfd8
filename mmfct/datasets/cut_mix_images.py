"""CutMix: images with a rectangle of another image in them."""

from __future__ import annotations

import copy

import numpy as np
from mmengine.dataset import BaseDataset

from mmfct.datasets.wrapped_dataset import wrapped_dataset
from mmfct.instances.positions import inner_positions
from mmfct.registry import DATASETS


@DATASETS.register_module()
class CutMixImages:
    """Wrapper that pastes a rectangle of another image into every image: CutMix (arXiv 1905.04899) for embeddings.

    A new model overfits its training images: their embeddings form tight clusters, which those of other images do not.
    A transformation can be trained on any image, so train it on images that the new model has not seen. The area of
    the rectangle, as a share of the image, and its centre are drawn uniformly; it is clipped at the border.

    Both images go through the pipeline of the wrapped data set. The label is that of the larger part; everything else
    (``sample_idx``, ``img_path``) is the first image's.

    Args:
        dataset: Any mmengine data set that packs mmpretrain's samples, images all of one size, or its config.

    Raises:
        ValueError: If two images differ in size.
        TypeError: If ``dataset`` is neither a config nor a data set.
    """

    def __init__(self, dataset: dict | BaseDataset) -> None:
        self.dataset = wrapped_dataset(dataset)
        self.full_init()

    @property
    def metainfo(self) -> dict:
        """Meta information of the wrapped data set."""
        return copy.deepcopy(self.dataset.metainfo)

    def full_init(self) -> None:
        """Initialise the wrapped data set."""
        self.dataset.full_init()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, idx: int) -> dict:
        item, other = self.dataset[idx], self.dataset[np.random.randint(len(self.dataset))]
        image, patch = item['inputs'].clone(), other['inputs']
        if image.shape != patch.shape:
            raise ValueError(
                f'images must be of one size, got {tuple(image.shape)} and {tuple(patch.shape)}; end the pipeline '
                'with a crop or a resize to a fixed size'
            )
        top, bottom, left, right = random_rectangle(*image.shape[-2:])
        image[..., top:bottom, left:right] = patch[..., top:bottom, left:right]
        sample = item['data_samples']
        if 2 * (bottom - top) * (right - left) > image.shape[-2] * image.shape[-1]:
            sample = sample.clone().set_gt_label(other['data_samples'].gt_label)
        return {**item, 'inputs': image, 'data_samples': sample}

    def get_data_info(self, idx: int) -> dict:
        """Return the annotation of the image that receives the rectangle."""
        return self.dataset.get_data_info(idx)


def random_rectangle(height: int, width: int) -> tuple[int, int, int, int]:
    """Draw the rectangle of CutMix: (top, bottom, left, right) in pixels, ends exclusive, of an image's own shape."""
    side = np.sqrt(np.random.rand())  # of the image's: the share of the area is uniform
    bounds = []
    for length in (height, width):
        centre, half = np.random.randint(length), int(side * length) // 2
        bounds += [max(centre - half, 0), min(centre + half, length)]
    top, bottom, left, right = bounds
    return top, bottom, left, right


@inner_positions.register(CutMixImages)
def _(dataset: CutMixImages) -> np.ndarray:
    raise ValueError('an item of `mmfct.CutMixImages` is made of two images: it cannot have a weight of its own')
