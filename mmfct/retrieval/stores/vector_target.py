"""What every database must offer, so that upgraded vectors can be written into it and the write can be resumed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import numpy as np

from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.address import StoreAddress
from mmfct.retrieval.stores.notes_target import TargetNotes

# Rows whose vectors are computed again, to compare them with those that are stored: so many runs of so many rows,
# because a source is read shard by shard.
_RUNS = _RUN_ROWS = 16
_CHECK_ROWS = 16384
# Of a stored vector from the computed one, relative to its length: float32, and the sums of another batch size.
_TOLERANCE = 1e-4


class VectorTarget(ABC):
    """Write upgraded rows into a table or collection, in batches that may be repeated.

    Half-written targets cannot be taken for complete: the notes say ``complete`` only after :meth:`finish` has
    compared the numbers of rows, all ids and a sample of the vectors.

    Args:
        address: What is written.
        source: The gallery that is upgraded.
        notes: Notes about this upgrade.

    Attributes:
        batch_bytes: Size of the vectors that should be written at once.
    """

    batch_bytes = 2**25

    def __init__(self, address: StoreAddress, source: GallerySource, notes: TargetNotes) -> None:
        self.address, self.source, self.notes = address, source, notes

    @abstractmethod
    def pending(self, start: int, stop: int) -> np.ndarray:
        """Say which rows of the source, from ``start`` up to, not including, ``stop``, are not written yet.

        Returns:
            Bool of shape (stop - start,).
        """

    @abstractmethod
    def write(self, start: int, rows: Mapping[str, np.ndarray], pending: np.ndarray) -> None:
        """Write upgraded rows; once this returns, they survive the end of the process.

        Args:
            start: First row of the source.
            rows: By column of the upgraded gallery, rows of shape (N, width) or (N,).
            pending: Which of them to write, bool of shape (N,).

        Raises:
            ValueError: If the database refuses them, or has other rows than the source.
        """

    @abstractmethod
    def count(self) -> tuple[int, int]:
        """Count the rows of the target, and those that have an upgraded vector."""

    @abstractmethod
    def holds(self, start: int, stop: int) -> bool:
        """Whether the target has the rows of the source from ``start`` up to ``stop``, by their ids."""

    @abstractmethod
    def vectors(self, rows: np.ndarray) -> np.ndarray:
        """Read the upgraded vectors of some rows of the source.

        Args:
            rows: Row numbers, ascending, of shape (N,).

        Returns:
            float32 of shape (N, width).
        """

    @abstractmethod
    def note(self, notes: TargetNotes) -> None:
        """Replace the notes in the database."""

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Give back what is open."""

    def stored_form(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (N, width) as the database keeps them."""
        return vectors

    def finish(self, expected: Callable[[np.ndarray], np.ndarray]) -> None:
        """Compare the target with the source, and note that it is complete.

        Args:
            expected: Computes the upgraded vectors (N, width) of rows (N,) of the source.

        Raises:
            ValueError: If the numbers of rows, ids or a vector differ.
        """
        total, upgraded = self.count()
        if (total, upgraded) != (len(self.source),) * 2:
            raise ValueError(
                f'{self.address} must have {len(self.source)} rows with upgraded vectors, got {total} rows of which '
                f'{upgraded} have one; another program writes it, so run the same command once more, or delete it'
            )
        for start in range(0, len(self.source), _CHECK_ROWS):
            stop = min(start + _CHECK_ROWS, len(self.source))
            if not self.holds(start, stop):
                raise ValueError(
                    f'{self.address} must have the ids of {self.source.path}, got others for the rows {start} to '
                    f'{stop}; another program has changed one of them: delete {self.address} and upgrade again'
                )
        rows = self._sample()
        wanted, got = self.stored_form(expected(rows)), self.stored_form(self.vectors(rows))
        distances = np.linalg.norm(wanted - got, axis=1) / np.maximum(np.linalg.norm(wanted, axis=1), 1e-12)
        if not (distances <= _TOLERANCE).all():
            worst = int(np.nan_to_num(distances, nan=np.inf).argmax())
            raise ValueError(
                f'{self.address} must hold what the transforms make of {self.source.path}, got a vector that is '
                f'{distances[worst]:.2g} of its length away in row {rows[worst]}; another program has changed one of '
                f'them: delete {self.address} and upgrade again'
            )
        if not self.notes.complete:
            self.note(self.notes.with_state(complete=True))

    def _sample(self) -> np.ndarray:
        starts = np.linspace(0, max(0, len(self.source) - _RUN_ROWS), _RUNS).astype(np.int64)
        rows = np.unique(starts[:, None] + np.arange(_RUN_ROWS))
        return rows[rows < len(self.source)]

    def take_over(self, stored: TargetNotes | None, what: str) -> None:
        """Go on with what the database notes about an earlier run of the same upgrade.

        Args:
            stored: These notes; ``None`` if there are none.
            what: What exists without notes, for the message.

        Raises:
            ValueError: If there are none, or they are those of another upgrade.
        """
        if stored is None:
            raise ValueError(f'{what} exists and was not written by an upgrade; name another one')
        differences = self.notes.differences(stored)
        if differences:
            raise ValueError(
                f'{what} holds another upgrade, of {stored.source}, with another {", ".join(differences)}; name '
                'another one, or delete it'
            )
        self.notes = stored
