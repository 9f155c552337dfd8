"""The steps of an upgrade into a database, as the tests of all targets take them."""

from __future__ import annotations

import numpy as np

from mmfct.retrieval.stores.open_target import opened_target

WIDTH = 4


def upgraded(vectors: np.ndarray) -> np.ndarray:
    """Something else than the vectors, of another width."""
    return np.concatenate([2 * vectors, vectors[:, :1] + 1], axis=1).astype(np.float32)


def write_upgraded(target, *, batch: int, batches: int | None = None) -> int:
    """Write what is pending, as an upgrade does; at most so many batches of so many rows."""
    source, written = target.source, 0
    for start in range(0, len(source), batch):
        rows = np.arange(start, min(start + batch, len(source)))
        pending = target.pending(start, int(rows[-1]) + 1)
        if not pending.any():
            continue
        if written == batches:
            return written
        columns = {name: source.rows(name, rows) for name in source.columns}
        target.write(start, columns | dict(embedding=upgraded(columns['embedding'])), pending)
        written += 1
    return written


def begin(*words, in_place) -> None:
    """Open a target and write nothing."""
    with opened_target(*words, in_place=in_place):
        pass


def finish(target) -> None:
    """Compare the target with what it should hold."""
    target.finish(lambda rows: upgraded(target.source.rows('embedding', rows)))


def columns_of(source) -> dict:
    """Columns of the upgraded rows."""
    return source.columns | dict(embedding=('float32', WIDTH + 1))
