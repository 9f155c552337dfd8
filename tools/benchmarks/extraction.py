"""Images per second of an extraction, against the bare network and against loading alone, by number of workers.

The CPU reads, decodes, resizes and crops; the device only runs the network. So the question is how many workers it
takes to keep a device busy. The images are JPEG files of 500 x 375 pixels, made here. Prints JSON, all in images per
second:

- ``network``: the bare network on images that lie on the device,
- ``loading``: the pipeline and the data loader without the network, by number of workers,
- ``extraction``: the whole of `extract_gallery`, by number of workers, without its start, which is timed apart,
- ``decoders``: ways to make one image of a file in one process: the ``pipeline`` of the config; ``torchvision``,
  which decodes and resizes without OpenCV and PIL; ``resize_on_device``, which only decodes on the CPU; and, on a GPU,
  ``decode_on_device`` with nvJPEG,

and ``share_of_network``, the fastest extraction in proportion to the bare network, and ``workers_needed``, the network
over the loading of one worker: more workers than that cannot help.

Example:
    python tools/benchmarks/extraction.py --images 8192 --workers 0 4 8 16
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import math
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from devices import add_device, describe, seconds
from mmengine.dataset import pseudo_collate
from torch import Tensor
from torch.utils.data import DataLoader

from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.extract_gallery.encoder import load_encoder, load_model_config
from mmfct.apis.extract_gallery.images import GalleryImages
from mmfct.registry import MODELS

_FILES = 64  # different images; the others are links to them
_CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmfct.EmbeddingResNet', depth={depth}, embedding_dims=128),
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
)
folder_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale={edge}, edge='short'),
    dict(type='CenterCrop', crop_size={size}),
    dict(type='PackInputs'),
]
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=1024, help='image files (default: 1024)')
    parser.add_argument('--batch-size', type=int, default=256, help='images per forward pass (default: 256)')
    parser.add_argument('--image-size', type=int, default=224, help='height and width in pixels (default: 224)')
    parser.add_argument('--depth', type=int, default=50, help='depth of the ResNet (default: 50)')
    parser.add_argument(
        '--workers', type=int, nargs='+', default=[0, 1, 2], help='numbers of workers (default: 0 1 2)'
    )
    add_device(parser)
    args = parser.parse_args()
    logging.disable(logging.WARNING)  # mmengine lists how every weight was initialised
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(sys.stderr):  # progress
        root = Path(name)
        files = _write_images(root / 'images', args.images)
        checkpoint = _write_model(root, args)
        network = _network_speed(root, checkpoint, args)
        loading = {workers: _loading_speed(root, workers, args) for workers in args.workers}
        extraction = _extraction_speeds(root, checkpoint, args)
        decoders = _decoder_speeds(root, files[:_FILES], args)
    one_worker = loading.get(1) or max(speed / max(workers, 1) for workers, speed in loading.items())
    result = dict(
        images=args.images,
        network=network,
        loading=loading,
        extraction=extraction,
        decoders=decoders,
        decoder_ratios={name: speed / decoders['pipeline'] for name, speed in decoders.items()},
        share_of_network=max(extraction.values()) / network,
        workers_needed=math.ceil(network / one_worker),
        cores=os.cpu_count(),
        **describe(args.device),
    )
    print(json.dumps(result, indent=1))


def _write_images(folder: Path, number: int) -> list[Path]:
    """Write JPEG files of the size that photographs of ImageNet have, most of them links to the first ones."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    files = [folder / f'{index:07d}.jpg' for index in range(number)]
    for index, file in enumerate(files):
        if index < _FILES:
            coarse = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
            smooth = cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC)
            noisy = np.clip(smooth + rng.normal(0, 12, (375, 500, 3)), 0, 255)
            cv2.imwrite(str(file), noisy.astype(np.uint8))
        else:
            os.link(files[index % _FILES], file)
    return files


def _write_model(root: Path, args: argparse.Namespace) -> str:
    """Write a config and a checkpoint with random weights; return the checkpoint."""
    edge = args.image_size * 256 // 224
    (root / 'config.py').write_text(_CONFIG.format(depth=args.depth, size=args.image_size, edge=edge))
    config = load_model_config(str(root / 'config.py'), None)
    weights = MODELS.build(config.model.backbone).state_dict()
    checkpoint = str(root / 'weights.pth')
    torch.save({f'backbone.{name}': value for name, value in weights.items()}, checkpoint)
    return checkpoint


@torch.no_grad()
def _network_speed(root: Path, checkpoint: str, args: argparse.Namespace) -> float:
    """Time the faster of three passes over a batch on the device."""
    encode = load_encoder(load_model_config(str(root / 'config.py'), None), checkpoint).encode.to(args.device)
    size = args.batch_size, 3, args.image_size, args.image_size
    batch = torch.randint(0, 256, size, dtype=torch.uint8).to(args.device)
    return args.batch_size / min(seconds(lambda: encode(batch), args.device) for _ in range(3))


def _loading_speed(root: Path, workers: int, args: argparse.Namespace) -> float:
    """Time the data loader of an extraction."""
    images = GalleryImages(load_model_config(str(root / 'config.py'), None), folder=str(root / 'images'))
    loader = DataLoader(images, args.batch_size, num_workers=workers, collate_fn=pseudo_collate)
    return args.images / seconds(lambda: [None for _ in loader], 'cpu')


def _extraction_speeds(root: Path, checkpoint: str, args: argparse.Namespace) -> dict[int, float]:
    """Time whole extractions by number of workers, without what an extraction of one image takes."""
    (root / 'one').mkdir()
    os.link(root / 'images/0000000.jpg', root / 'one/0.jpg')

    def extract(folder: str, workers: int) -> float:
        options = dict(device=args.device, batch_size=args.batch_size, num_workers=workers)
        out = str(root / f'{folder}_{workers}_gallery')
        work = partial(extract_gallery, str(root / 'config.py'), checkpoint, out, images=str(root / folder), **options)
        return seconds(work, args.device)

    extract('one', 0)
    start = extract('one', max(args.workers) + 1)  # another folder; it starts a worker too
    return {workers: args.images / max(extract('images', workers) - start, 1e-9) for workers in args.workers}


def _decoder_speeds(root: Path, files: list[Path], args: argparse.Namespace) -> dict[str, float]:
    """Time what makes images of files, in one process."""
    images = GalleryImages(load_model_config(str(root / 'config.py'), None), folder=str(root / 'images'))
    decoders: dict[str, Callable[[int], Tensor]] = dict(pipeline=lambda index: images[index]['inputs'])
    try:
        from torchvision.io import ImageReadMode, decode_jpeg, read_file
        from torchvision.transforms.v2.functional import center_crop, resize
    except ImportError:
        print('torchvision is not installed: only the pipeline of the config is timed', file=sys.stderr)
    else:
        edge, size = [args.image_size * 256 // 224], [args.image_size, args.image_size]

        def decoded(index: int, decode_on: str, resize_on: str) -> Tensor:
            image = decode_jpeg(read_file(str(files[index])), ImageReadMode.RGB, device=decode_on)
            return center_crop(resize(image.to(resize_on), edge, antialias=True), size)

        decoders['torchvision'] = partial(decoded, decode_on='cpu', resize_on='cpu')
        decoders['resize_on_device'] = partial(decoded, decode_on='cpu', resize_on=args.device)
        if args.device.startswith('cuda'):
            decoders['decode_on_device'] = partial(decoded, decode_on=args.device, resize_on=args.device)
    speeds = {}
    for name, decode in decoders.items():
        assert decode(0).shape == (3, args.image_size, args.image_size)
        work = partial(_decode_all, decode, len(files))
        speeds[name] = len(files) / min(seconds(work, args.device) for _ in range(3))
    return speeds


def _decode_all(decode: Callable[[int], Tensor], number: int) -> None:
    for index in range(number):
        decode(index)


if __name__ == '__main__':
    main()
