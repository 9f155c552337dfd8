"""The file of a transform: safetensors with a JSON description; nothing in it can run.

Any safetensors reader opens it. The header's ``description`` is the JSON of a `TransformDescription`, its
``description_sha256`` the checksum of that text; the weights have their own, ``fingerprint`` in the description.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic_files import write_atomically
from .fingerprint import canonical_json, fingerprint_state_dict
from .transform_description import TransformDescription

if TYPE_CHECKING:
    from torch import Tensor


def write_transform(path: str | Path, description: TransformDescription, state_dict: Mapping[str, Tensor]) -> None:
    """Write a transform; the file appears complete or not at all.

    Args:
        path: A file with suffix ``.safetensors``; replaced if it exists.
        description: What it is.
        state_dict: Weights by name, see `TransformDescription.shapes`; ``num_batches_tracked`` is left out.

    Raises:
        ValueError: If ``path`` has another suffix, or the weights do not fit the description.
        TypeError: If the description is not plain JSON.
    """
    from safetensors.torch import save

    path = Path(path)
    if path.suffix != '.safetensors':
        raise ValueError(f"`path` must end in '.safetensors', got {str(path)!r}")
    tensors = {
        name: value.detach().cpu().contiguous()
        for name, value in state_dict.items()
        if not name.endswith('.num_batches_tracked')
    }
    _check_tensors(tensors, description, path)
    text = canonical_json(description.to_json(), name='description')
    metadata = dict(description=text, description_sha256=hashlib.sha256(text.encode()).hexdigest())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(tensors, metadata))


def read_transform(path: str | Path) -> tuple[TransformDescription, dict[str, Tensor]]:
    """Read a transform.

    Args:
        path: A file that :func:`write_transform` wrote.

    Returns:
        The description, and the weights by name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is something else (a pickled checkpoint too, which is never unpickled), truncated,
            changed, or holds NaN or infinite weights.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'`path` must be the file of a transform, got {str(path)!r}, which does not exist')
    try:
        with safe_open(path, framework='pt') as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f'{path} must be a transform in safetensors format: {error}; write one with `tools/export_transform.py`'
        ) from error
    text = metadata.get('description', '')
    if metadata.get('description_sha256') != hashlib.sha256(text.encode()).hexdigest():
        raise ValueError(f'{path} must hold a description that matches its checksum; export the transform again')
    description = TransformDescription.from_json(json.loads(text))
    _check_tensors(tensors, description, path)
    return description, tensors


def _check_tensors(tensors: Mapping[str, Tensor], description: TransformDescription, path: Path) -> None:
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    expected = description.shapes()
    differing = sorted(name for name in shapes.keys() | expected.keys() if shapes.get(name) != expected.get(name))
    if differing:
        name = differing[0]
        raise ValueError(
            f'the weights of {path} must be those of its description, got {len(differing)} others: {name!r} must have '
            f'shape {expected.get(name)}, got {shapes.get(name)}'
        )
    bad = [name for name, value in tensors.items() if not value.is_floating_point() or not value.isfinite().all()]
    if bad:
        raise ValueError(f'the weights of {path} must be finite floats, got others in {sorted(bad)[0]!r}')
    if fingerprint_state_dict(tensors) != description.fingerprint:
        raise ValueError(f'the weights of {path} must match their fingerprint, got others; export the transform again')
