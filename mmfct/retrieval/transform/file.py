"""Transform files: a learned transformation as safetensors with a JSON header, which cannot run code.

Format version 1 holds the weights of a `mmfct.TransformationHead`, BN and all, as `mmfct export` writes
them. Version 2 holds those of a `TransformNetwork` with its structure, and perhaps profiles of its inputs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmfct.retrieval.gallery.provenance import ModelIdentity
from mmfct.retrieval.transform.network import TransformNetwork, TransformStructure
from mmfct.retrieval.transform.profile import InputProfile
from mmfct.utils.files import write_atomically
from mmfct.utils.fingerprint import canonical_json, fingerprint_json, fingerprint_state_dict

FORMAT_VERSIONS = (1, 2)
_HEADER = 'mmfct_transform'
_INPUTS = 'inputs'


@dataclass(frozen=True)
class TransformDescription:
    """What a transform file says about itself.

    Args:
        old: The model whose embeddings it transforms.
        new: The model into whose space it transforms them.
        side: The model of the side-information; ``None`` if the old embedding feeds both branches.
        old_dims: Width D of the old embedding.
        side_dims: Width S of the side-information; D if there is none.
        new_dims: Width D' of the new embedding.
        training: How it was trained, as plain JSON.
        quality: Scores measured after training, by name.
        backfill_seconds: Seconds per image of the new model on the machine of the export; ``None`` if unknown.
        structure: Structure of the network; ``None`` for a `mmfct.TransformationHead`.
        inputs: Numbers of the profiles of the inputs, ``old`` and perhaps ``side``, see `InputProfile`.
        distance: Distance by which the results are compared; ``None`` for that of the gallery.
    """

    old: ModelIdentity
    new: ModelIdentity
    side: ModelIdentity | None
    old_dims: int
    side_dims: int
    new_dims: int
    training: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, float | None] = field(default_factory=dict)
    backfill_seconds: float | None = None
    structure: TransformStructure | None = None
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    distance: str | None = None

    @property
    def format_version(self) -> int:
        """Version of the file that can hold this."""
        return 1 if self.structure is None else 2

    @property
    def maps_queries(self) -> bool:
        """Whether it is an adapter, which maps new queries into the old space, and not h, which upgrades galleries."""
        return self.training.get('direction') == 'query'

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        models = dict(old=self.old.to_json(), new=self.new.to_json(), side=self.side and self.side.to_json())
        later = dict(structure=self.structure and self.structure.to_json(), inputs=self.inputs, distance=self.distance)
        rest = {name: value for name, value in vars(self).items() if name not in models | later}
        return {**models, **rest, **(later if self.format_version > 1 else {})}

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> TransformDescription:
        """Read what :meth:`to_json` returned.

        Raises:
            KeyError: If a model is missing.
            TypeError: If another entry is missing or unknown.
            ValueError: If a model or the structure is malformed.
        """
        models = {role: entries[role] and ModelIdentity.from_json(entries[role]) for role in ('old', 'new', 'side')}
        structure = entries.get('structure')
        return cls(**{**entries, **models, 'structure': structure and TransformStructure.from_json(structure)})


def write_transform(path: str | Path, state_dict: Mapping[str, Tensor], description: TransformDescription) -> None:
    """Write a transform file; once this returns, it is complete and survives a crash.

    Args:
        path: The file, by convention ``.safetensors``.
        state_dict: Weights of a `mmfct.TransformationHead`; or, if the description has a structure, of a
            `TransformNetwork`.
        description: What the file says about itself.

    Raises:
        ValueError: If a weight is NaN or infinite.
    """
    from safetensors.torch import save

    weights = {
        name: value.detach().cpu().contiguous().clone()  # safetensors refuses weights that share memory
        for name, value in state_dict.items()
        if not name.endswith('num_batches_tracked')
    }
    _check_finite(weights, 'the transform to write')
    version = description.format_version
    structure = None if description.structure is None else description.structure.to_json()
    header = dict(format_version=version, fingerprint=_fingerprint(weights, structure), **description.to_json())
    # In one entry, because safetensors does not keep the order of several.
    text = canonical_json(dict(header, checksum=fingerprint_json(header)))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(Path(path), save(weights, metadata={_HEADER: text}))


def write_network(
    path: str | Path,
    network: TransformNetwork,
    description: TransformDescription,
    profiles: Mapping[str, InputProfile] | None = None,
) -> None:
    """Write the transform file of a network; its structure and the profiles are added to the description.

    Args:
        path: The file.
        network: The network.
        description: What the file says about itself.
        profiles: Profile of each input, ``old`` and perhaps ``side``, which an upgrade compares its vectors with.

    Raises:
        ValueError: If a weight is NaN or infinite.
    """
    profiles = profiles or {}
    numbers = {role: profile.to_json() for role, profile in profiles.items()}
    tensors = {
        f'{_INPUTS}.{role}.{name}': value
        for role, profile in profiles.items()
        for name, value in profile.tensors().items()
    }
    described = replace(description, structure=network.structure, inputs=numbers)
    write_transform(path, {**network.state_dict(), **tensors}, described)


def read_profiles(description: TransformDescription, weights: Mapping[str, Tensor]) -> dict[str, InputProfile]:
    """Return the profiles of the inputs that a transform file has, by name of the input.

    Raises:
        KeyError: If a part of one is missing.
        ValueError: If one is malformed.
    """
    return {
        role: InputProfile.from_parts(
            entries, {name: weights[f'{_INPUTS}.{role}.{name}'] for name in ('mean', 'directions')}
        )
        for role, entries in description.inputs.items()
    }


def read_transform(path: str | Path) -> tuple[TransformDescription, dict[str, Tensor], str]:
    """Read and check a transform file.

    Returns:
        Description, weights by name, and fingerprint of the weights.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, no transform file, or of another format version.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'transform {str(path)!r} does not exist; make it with `mmfct export` or `mmfct learn`'
        )
    try:
        with safe_open(path, framework='pt') as file:
            header = json.loads((file.metadata() or {}).get(_HEADER, 'null'))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(
            f'transform {str(path)!r} cannot be read: it is truncated, damaged or no safetensors file ({error})'
        ) from error
    version = header.pop('format_version', None) if isinstance(header, dict) else None
    if version not in FORMAT_VERSIONS:
        raise ValueError(
            f'{str(path)!r} must be a transform of format version 1 or 2; make it with `mmfct export` or `mmfct learn`'
        )
    checksum = header.pop('checksum', None)
    if fingerprint_json({'format_version': version, **header}) != checksum:
        raise ValueError(f'the header of transform {str(path)!r} must match its checksum; export it again')
    fingerprint = header.pop('fingerprint', None)
    if _fingerprint(weights, header.get('structure')) != fingerprint:
        raise ValueError(f'the weights of transform {str(path)!r} must match their fingerprint; export it again')
    _check_finite(weights, f'transform {str(path)!r}')
    try:
        return TransformDescription.from_json(header), weights, fingerprint
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'the header of transform {str(path)!r} must describe it, got {error!r}') from error


def _fingerprint(weights: Mapping[str, Tensor], structure: Mapping[str, Any] | None) -> str:
    """Identify what is computed: the weights, and the structure that says how."""
    found = fingerprint_state_dict(weights)
    return found if structure is None else fingerprint_json(dict(weights=found, structure=structure))


def _check_finite(weights: Mapping[str, Tensor], owner: str) -> None:
    bad = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if bad:
        raise ValueError(f'{owner} must have finite weights, got NaN or infinite values in {bad[:3]}')
