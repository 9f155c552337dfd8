"""Time the training of the transformation on cached embeddings against training on images.

Training on images runs the three frozen encoders in every step. Both are measured in one run on one device, with the
paper's networks (ResNet-50 at 224 pixels, a transformation of 5.7 M parameters) and random images, whose content does
not affect the time. Prints JSON: seconds per image of both, their ratio for an epoch, the ratio for a whole training
that computes the table of embeddings first, and the epochs per second of a training on a table of --items. With
--compile also ``compiled_speedup``, the time of a cached step over that of the same step by ``torch.compile``.

Example:
    python tools/benchmarks/cached_training.py --images 32 --epochs 80 --views 8
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from collections.abc import Callable
from statistics import median

import torch
from devices import add_device, describe, seconds
from mmengine.registry import init_default_scope
from random_encoder import random_encoder

from mmfct.registry import MODELS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=32, help='images per batch (default: 32)')
    parser.add_argument('--batch-size', type=int, default=1024, help='cached rows per batch (default: 1024)')
    parser.add_argument('--image-size', type=int, default=224, help='height and width in pixels (default: 224)')
    parser.add_argument('--depth', type=int, default=50, help='depth of the ResNet encoders (default: 50)')
    parser.add_argument('--epochs', type=int, default=80, help='epochs of a whole training (default: 80)')
    parser.add_argument('--views', type=int, default=8, help='views per image in the table (default: 8)')
    parser.add_argument('--repeats', type=int, default=5, help='repetitions; medians are reported (default: 5)')
    parser.add_argument('--items', type=int, default=1_281_167, help="rows of the table (default: ImageNet's)")
    parser.add_argument('--compile', action='store_true', help='also time the step by torch.compile')
    add_device(parser)
    args = parser.parse_args()
    logging.disable(logging.INFO)  # mmengine lists how every weight was initialised
    init_default_scope('mmpretrain')
    torch.manual_seed(0)

    with tempfile.TemporaryDirectory() as folder:
        model, optimizer = _transform(random_encoder(folder, args.depth), args.device)
        images = torch.randn(args.images, 3, args.image_size, args.image_size, device=args.device)
        model(images[:1], mode='loss')  # loads the encoders
    rows = torch.rand(args.batch_size, 128, device=args.device)
    embeddings = dict(old=rows, side=rows, new=rows)
    measured = dict(online=_step(model, optimizer, images), cached=_step(model, optimizer, embeddings))
    if args.compile:
        measured['compiled'] = _step(torch.compile(model), optimizer, embeddings)
        measured['compiled']()  # compiles
    times: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(args.repeats):  # in turn, so that a machine that slows down slows all
        for name, step in measured.items():
            repeats = 1 if name == 'online' else 5
            times[name].append(median(seconds(step, args.device) for _ in range(repeats)))
    online_time, cached_time = median(times['online']) / args.images, median(times['cached']) / args.batch_size
    table_time = args.views * (online_time - cached_time)
    training = args.epochs * online_time / (args.epochs * cached_time + table_time)
    result = dict(
        online_seconds_per_image=online_time,
        cached_seconds_per_image=cached_time,
        epoch_ratio=online_time / cached_time,
        training_ratio_with_table=training,
        epochs_per_second=1 / (cached_time * args.items),
        items=args.items,
        epochs=args.epochs,
        views=args.views,
        **describe(args.device),
    )
    if args.compile:
        result['compiled_speedup'] = median(times['cached']) / median(times['compiled'])
    print(json.dumps(result, indent=1))


def _transform(encoder: dict, device: str) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """Build the transformation of the paper with an encoder for all three roles."""
    head = dict(type='mmfct.TransformationHead', old_dims=128, side_dims=128, new_dims=128)
    encoders = dict(old=encoder, side=encoder, new=encoder)
    model = MODELS.build(dict(type='mmfct.ForwardTransform', head=head, encoders=encoders)).to(device)
    return model, torch.optim.Adam(model.parameters(), lr=5e-4)


def _step(
    model: Callable[..., dict], optimizer: torch.optim.Optimizer, inputs: torch.Tensor | dict
) -> Callable[[], None]:
    """Return a training step."""

    def step() -> None:
        optimizer.zero_grad()
        model(inputs, mode='loss')['loss'].backward()
        optimizer.step()

    return step


if __name__ == '__main__':
    main()
