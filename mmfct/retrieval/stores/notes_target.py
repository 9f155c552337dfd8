"""What a table or collection notes about the upgrade that writes it: so that it can go on, and is never mixed up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.utils.fingerprint import canonical_json

# Key of the notes: in the metadata of a Lance column, or of a collection of Qdrant (of its unnamed vector).
NOTES_KEY = 'mmfct'
FORMAT_VERSION = 1
# Entries of the notes that change while, or after, the target is written.
_STATE = ('complete', 'previous')


@dataclass(frozen=True)
class TargetNotes:
    """Notes about the vectors of one column or named vector.

    Args:
        source: Address or path of what was upgraded, for people.
        vector: Its column of vectors or named vector, ``None`` if it has only one.
        fingerprint: `GallerySource.fingerprint` of it; ``None`` for a new column of the same table, whose fingerprint
            every written row changes.
        transforms: Fingerprints of the transforms, in order.
        metadata: Metadata of the upgraded gallery, see `Provenance.to_metadata`.
        complete: Whether every row is written, and was compared with the source.
        previous: By alias, the collection that it named before it named this one; ``None`` for none.
    """

    source: str
    vector: str | None
    fingerprint: str | None
    transforms: tuple[str, ...]
    metadata: Mapping[str, Any]
    complete: bool = False
    previous: Mapping[str, str | None] = field(default_factory=dict)

    def encode(self) -> str:
        """Return the notes as JSON."""
        return canonical_json(self._entries(), name='notes')

    @classmethod
    def decode(cls, text: str | bytes, owner: str) -> TargetNotes:
        """Read what :meth:`encode` returned.

        Args:
            text: JSON.
            owner: What the message calls the column or collection.

        Raises:
            ValueError: If it is something else, or of another version of the format.
        """
        try:
            entries = json.loads(text)
            if entries.pop('format_version') != FORMAT_VERSION:
                raise ValueError(f'format_version must be {FORMAT_VERSION}')
            notes = cls(**entries | dict(transforms=tuple(entries['transforms'])))
            Provenance.from_metadata(notes.metadata)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f'{owner} must have notes of this version under {NOTES_KEY!r}, got {error!r}') from error
        return notes

    def differences(self, other: TargetNotes) -> list[str]:
        """Name the entries in which two upgrades differ; how far they are does not count."""
        mine, theirs = self._flat(), other._flat()
        return [name for name in sorted(mine.keys() | theirs.keys()) if mine.get(name) != theirs.get(name)]

    def with_state(self, **state: Any) -> TargetNotes:
        """Return the notes with another ``complete`` or ``previous``."""
        return replace(self, **state)

    def _entries(self) -> dict[str, Any]:
        entries = {name: getattr(self, name) for name in self.__dataclass_fields__}
        mappings = dict(metadata=dict(self.metadata), previous=dict(self.previous))
        return entries | mappings | dict(format_version=FORMAT_VERSION)

    def _flat(self) -> dict[str, str]:
        entries = {name: value for name, value in self._entries().items() if name not in (*_STATE, 'source')}
        metadata = {f'metadata.{name}': value for name, value in entries.pop('metadata').items()}
        if self.fingerprint is None:
            metadata.pop('metadata.upgraded_from', None)
        return {name: canonical_json(value) for name, value in (entries | metadata).items()}


def vector_notes_key(vector: str | None) -> str:
    """Return the key of the notes about a named vector in the metadata of its collection."""
    return f'{NOTES_KEY}:{vector}' if vector else NOTES_KEY
