"""Choose the items of a gallery that the new model is to embed, and say how well they cover it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmfct.apis.plan_sample.choice import METHODS, choose_rows
from mmfct.apis.plan_sample.ids import is_list, read_embedded, write_ids
from mmfct.apis.plan_sample.pool import Pool
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.address import belongs_to
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json

# Rows whose distance to the sample is measured.
_MEASURED_ROWS = 20_000


def plan_sample(
    gallery: str | Path,
    out: str | Path,
    *,
    size: int,
    by: str = 'coverage',
    seed: int = 0,
    have: str | Path | None = None,
    have_vector: str | None = None,
    options: SourceOptions | None = None,
) -> dict[str, Any]:
    """Write the ids of the items to embed with the new model, and beside them ``<out>.json``, how they were chosen.

    The rows of the gallery are read block by block; hashes of its ids and rows are held in memory, and for all ways
    but ``random`` 50,000 rows.

    Args:
        gallery: The gallery of the old model, as `open_source` takes it.
        out: File of the ids, one a line; one that exists is replaced.
        size: Number of items.
        by: One of `METHODS`, see `choose_rows`.
        seed: Seed of all random choices.
        have: Text file with the ids of the items that the new model has embedded already, one a line, or the new
            vectors, see `read_embedded`; they are not chosen, and what is near to them is covered.
        have_vector: Name of the column of the new vectors; ``None`` finds it.
        options: How to read vectors of another program, see `open_source`.

    Returns:
        What ``<out>.json`` holds.

    Raises:
        FileNotFoundError: If the gallery or ``have`` is missing.
        ImportError: If the gallery needs a package that is not installed.
        IsADirectoryError: If ``out`` is a folder.
        ValueError: If the gallery is damaged, repeats an id or does not say how its vectors are compared, there are
            too few items, ``by`` is unknown, ``have`` holds no id of the gallery, or ``out`` belongs to vectors.
    """
    path = Path(out)
    if path.is_dir():
        raise IsADirectoryError(f'`out` must be a file, got the folder {str(out)!r}')
    # A list of ids may be replaced by its successor.
    for source in (gallery, *(() if have is None or is_list(have) else (have,))):
        if belongs_to(path, source):
            raise ValueError(f'`out` must lie outside of what is read, {source}, got {str(out)!r}; name another file')
    if by not in METHODS:
        raise ValueError(f'`by` must be one of {", ".join(METHODS)}, got {by!r}')
    id_column = None if options is None else options.columns.id
    known = np.empty(0, '<U1') if have is None else read_embedded(have, have_vector, id_column)
    source = open_source(gallery, options=options, named_after_file=True)
    pool = Pool.read(source, known)
    _report_rows(pool, len(known))
    rows = choose_rows(pool, size, by=by, seed=seed)
    write_ids(source.rows('id', rows).tolist(), path)
    provenance = Provenance.from_metadata(source.metadata)
    summary: dict[str, Any] = dict(
        gallery=str(gallery),
        fingerprint=source.fingerprint,
        model=provenance.embedding.to_json(),
        num_rows=len(source),
        size=size,
        by=by,
        seed=seed,
        embedded=int(np.count_nonzero(pool.embedded)),
        all_zero=int(np.count_nonzero(pool.empty)),
        repeated=pool.num_repeated,
        distance=provenance.distance,
        mean_distance=measure_coverage(pool, rows, seed),
    )
    write_atomically(path.with_name(f'{path.name}.json'), encode_json(summary))
    distances = summary['mean_distance']
    print_log(
        f'{out}: {size} ids of {len(source)}, chosen by {by}; mean distance of an item to the nearest one that is '
        f'embedded: {distances["chosen"]:.4g}, with random ones {distances["random"]:.4g}',
        'current',
    )
    return summary


def measure_coverage(pool: Pool, rows: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Measure how far items are from the nearest one that is chosen or embedded already.

    Args:
        pool: The gallery.
        rows: The chosen rows, of shape (N,).
        seed: Seed of the items that are measured, 20,000 of a large gallery, and of the random choice.

    Returns:
        Mean distance with the ``chosen`` rows, and with as many ``random`` ones; and ``num_rows``, the number of items
        that were measured.
    """
    rng = np.random.default_rng([seed, 1])  # other rows than those of a random choice with the seed
    measured = np.sort(rng.permutation(np.flatnonzero(~pool.empty))[:_MEASURED_ROWS])
    items = pool.vectors(measured)
    embedded = np.flatnonzero(pool.embedded & ~pool.empty)
    at_random = rng.permutation(pool.free)[: len(rows)]
    values = {
        name: _mean_distance(items, pool.vectors(np.sort(np.concatenate([embedded, chosen]))), pool.distance)
        for name, chosen in (('chosen', rows), ('random', at_random))
    }
    return dict(**values, num_rows=len(measured))


def _mean_distance(items: np.ndarray, chosen: np.ndarray, distance: str) -> float:
    """Return the mean distance of items (M, D) to the nearest of the chosen ones (N, D); L2 for inner products."""
    from sklearn.metrics import pairwise_distances_argmin_min

    squares = pairwise_distances_argmin_min(items, chosen, metric='sqeuclidean')[1].astype(np.float64)
    return float((squares / 2 if distance == 'cosine' else np.sqrt(squares)).mean())


def _report_rows(pool: Pool, num_known: int) -> None:
    embedded, empty = int(np.count_nonzero(pool.embedded)), int(np.count_nonzero(pool.empty))
    if num_known:
        print_log(f'{embedded} of the {num_known} ids that are embedded already are in the gallery', 'current')
    if empty:
        print_log(
            f'{empty} of {len(pool.empty)} rows are all zeros: they say nothing about their items, and are not chosen',
            'current',
            logging.WARNING,
        )
    if pool.num_repeated:
        print_log(
            f'{pool.num_repeated} of {len(pool.empty)} rows repeat the vector of another one, as items with several '
            'ids do, and are not chosen: a pair teaches once',
            'current',
        )
