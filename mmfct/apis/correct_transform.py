"""Put a correction of upgraded vectors, which `plan_backfill` has found, into a transform file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log

from mmfct.retrieval.transform.apply import Transform
from mmfct.retrieval.transform.file import TransformDescription, write_network
from mmfct.retrieval.transform.layers import Layer
from mmfct.retrieval.transform.network import Stack, Term, TransformNetwork

LENGTHS = ('scale', 'calibrated')
SPREAD = 'spread'


def correct_transform(transform: str | Path, correction: str | Path, out: str | Path) -> TransformDescription:
    """Write a transform file whose upgraded vectors have other lengths, or another spread around their mean.

    Args:
        transform: The transform file.
        correction: ``correction.npz`` of `mmfct plan-backfill`: ``kind``, with ``slope`` and ``intercept`` of the
            lengths (``scale``, ``calibrated``), or with ``factor`` and ``offset`` (``spread``); and perhaps
            ``transform``, the fingerprint of the transform file whose vectors it was found for.
        out: The transform file to write.

    Returns:
        What the new file says about itself.

    Raises:
        FileNotFoundError: If one of the files is missing.
        ValueError: If one is damaged, the transform is an adapter of queries, the correction is for vectors of another
            transform or width, or the transform cannot be corrected in this way.
    """
    loaded = Transform(transform)
    if loaded.description.maps_queries:
        raise ValueError(
            f'a correction is for upgraded vectors, got {loaded.path}, which maps queries; name the transform file '
            'that upgraded the gallery'
        )
    entries = _read(Path(correction))
    wanted = str(entries.get('transform', loaded.fingerprint))
    if wanted != loaded.fingerprint:
        raise ValueError(
            f'{str(correction)!r} is for vectors of the transform {wanted[:12]}, got {loaded.path}, which is '
            f'{loaded.fingerprint[:12]}; name the file that upgraded the gallery, the last one of several'
        )
    kind = str(entries['kind'])
    if kind == SPREAD:
        network = _spread(
            loaded, float(entries['factor']), torch.from_numpy(np.asarray(entries['offset'], np.float64))
        )
    else:
        network = _lengths(loaded, float(entries['slope']), float(entries['intercept']))
    description = loaded.description
    training = dict(description.training, correction=kind, corrected_from=loaded.fingerprint)
    described = replace(description, training=training, structure=network.structure)
    if loaded.predicts_uncertainty:
        print_log(f'{out}: without the uncertainty, which was learned for vectors as they were', 'current')
    write_network(out, network, described, loaded.profiles)
    print_log(f'Transform {out}: {description.old} -> {description.new}, corrected ({kind})', 'current')
    return described


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f'correction {str(path)!r} does not exist; `mmfct plan-backfill` writes it')
    try:
        with np.load(path, allow_pickle=False) as file:
            entries = {name: file[name] for name in file.files}
        wanted = ('factor', 'offset') if str(entries['kind']) == SPREAD else ('slope', 'intercept')
        known = str(entries['kind']) in (*LENGTHS, SPREAD)
        finite = all(np.isfinite(entries[name]).all() for name in wanted)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{str(path)!r} must be a correction of `mmfct plan-backfill`, got {error!r}') from error
    if not known or not finite:
        raise ValueError(f'{str(path)!r} must hold a finite correction, got {entries["kind"]} with {sorted(entries)}')
    return entries


def _lengths(transform: Transform, slope: float, intercept: float) -> TransformNetwork:
    """Compose two lines; the first may have been learned before."""
    network = transform.network
    first_slope, first_intercept = network.length or (1.0, 0.0)
    length = slope * first_slope, slope * first_intercept + intercept
    return TransformNetwork(network.summands, unit_inputs=network.unit_inputs, length=length)


def _spread(transform: Transform, factor: float, offset: torch.Tensor) -> TransformNetwork:
    """Put an affine map into the last layers."""
    network, width = transform.network, transform.description.new_dims
    if network.length is not None:
        raise ValueError(f'{transform.path} must not have corrected lengths for a correction of the spread')
    if offset.shape != (width,):
        raise ValueError(f'the correction must be for vectors of width {width}, got {tuple(offset.shape)}')
    terms = []
    for number, term in enumerate(network.summands):
        layers = term.mixer.layers or [Layer(torch.eye(width), torch.zeros(width))]
        *before, last = layers
        bias = factor * last.bias.double() + (offset if number == 0 else 0)
        terms.append(Term(term.old, term.side, Stack([*before, Layer(factor * last.weight, bias, last.relu)])))
    return TransformNetwork(terms, unit_inputs=network.unit_inputs)
