"""What a user says about vectors of another program: which columns to read, which model made them, how to compare."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.notes_target import TargetNotes
from mmfct.retrieval.stores.say import say_once
from mmfct.utils.distances import DISTANCES


@dataclass(frozen=True)
class SourceOptions:
    """How to read a source that does not say which model made it; for others, only ``side`` is used.

    Args:
        columns: Names of its columns.
        provenance: Which model made the vectors; or else ``model``:
        model: Name of that model.
        fallback_model: Its name where neither the user nor the store says it.
        fingerprint: Fingerprint of its weights, where a transform knows the model by them; ``None`` identifies it by
            its name alone.
        side_model: Name of the model of the side-information.
        side_fingerprint: Fingerprint of its weights.
        distance: How the vectors are compared. ``None`` takes the distance of the store if it knows one (a collection
            of Qdrant, a Lance column with an index), or else that of ``provenance``; with ``model`` alone it must be
            said, because a wrong guess would rank plausibly.
        fallback_distance: Distance where nobody says it, which is said.
        shard_rows: Rows per shard; ``None`` for a size that fits in memory.
        skip_missing: Whether rows without a vector (null, or no such named vector) are left out, which is said, not
            refused.
        unfinished: Whether vectors of an upgrade that has not finished are read as they are, which is said, not
            refused.
        side: Source of the side-information where that is stored apart, of any kind, see `open_joined`;
            ``side_model`` and ``columns.side`` are those of that source.

    Raises:
        ValueError: If a fingerprint or a side model comes without the name of its model.
    """

    columns: VectorColumns = field(default_factory=VectorColumns)
    provenance: Provenance | None = None
    model: str | None = None
    fallback_model: str | None = None
    fingerprint: str | None = None
    side_model: str | None = None
    side_fingerprint: str | None = None
    distance: str | None = None
    fallback_distance: str | None = None
    shard_rows: int | None = None
    skip_missing: bool = False
    unfinished: bool = False
    side: str | None = None

    def __post_init__(self) -> None:
        needs = dict(fingerprint='model', side_fingerprint='side_model')
        for name, needed in (needs if self.side else needs | dict(side_model='model')).items():
            if getattr(self, name) is not None and getattr(self, needed) is None:
                option = f'--{needed.replace("_", "-")}'
                raise ValueError(f'`{name}` needs `{needed}` (`{option}`), got {getattr(self, name)!r} alone')

    def provenance_of(
        self, where: str, *, known_distance: str | None = None, stored: TargetNotes | None = None
    ) -> Provenance:
        """Return which model made the vectors of a store.

        Args:
            where: What messages call the store.
            known_distance: Distance that it uses, if it knows one.
            stored: What an upgrade that wrote the vectors noted about them.

        Raises:
            ValueError: If neither the user nor the store says which model made them or how they are compared, they
                say different models, or an upgrade has not finished writing them.
        """
        given = self.provenance
        model = self.model if self.model or stored else self.fallback_model
        if given is None and model is not None:
            side = None if self.side_model is None else _identity(self.side_model, self.side_fingerprint)
            distance = self.distance or known_distance or (None if stored is None else stored.metadata['distance'])
            if distance is None and self.fallback_distance is not None:
                distance = self.fallback_distance
                say_once(f'{where}: vectors are taken to be compared by {distance}; say it with `--distance`')
            if distance is None:
                raise ValueError(
                    f'{where} does not say how its vectors are compared; say it with `--distance`, one of '
                    f'{", ".join(DISTANCES)}'
                )
            given = Provenance(_identity(model, self.fingerprint), side, distance)
        if stored is not None:
            return _noted(stored, given, where, unfinished=self.unfinished)
        if given is None:
            raise ValueError(f'{where} does not say which model made its vectors; name it with `--model NAME`')
        distance = self.distance or known_distance or given.distance
        if distance != given.distance:
            say_once(f'{where}: vectors are compared by {distance}')
        return replace(given, distance=distance)


def _identity(name: str, fingerprint: str | None) -> ModelIdentity:
    return ModelIdentity.named(name) if fingerprint is None else ModelIdentity(name, fingerprint)


def _noted(stored: TargetNotes, given: Provenance | None, where: str, *, unfinished: bool) -> Provenance:
    if not stored.complete and unfinished:
        say_once(f'{where}: the upgrade of {stored.source} has not finished; what it has written so far is read')
    elif not stored.complete:
        raise ValueError(
            f'{where} must be complete, got vectors of an upgrade of {stored.source} that has not finished; run its '
            'command once more'
        )
    noted = Provenance.from_metadata(stored.metadata)
    if given is not None and given.embedding.fingerprint != noted.embedding.fingerprint:
        raise ValueError(
            f'{where} notes that {noted.embedding} made its vectors, got {given.embedding}; leave `--model` out'
        )
    return noted
