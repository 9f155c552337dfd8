"""Switch an alias of Qdrant to an upgraded collection, and back."""

from __future__ import annotations

from typing import Any

from mmfct.retrieval.stores.address import StoreAddress
from mmfct.retrieval.stores.notes_target import NOTES_KEY, TargetNotes
from mmfct.retrieval.stores.qdrant_notes import qdrant_errors, read_notes, write_notes


def check_alias(client: Any, address: StoreAddress, alias: str) -> None:
    """Refuse a name that cannot become an alias of a collection, before anything is written.

    Raises:
        ConnectionError: If the server does not answer, or answers with an error.
        ValueError: If it is that of a collection, or empty.
    """
    with qdrant_errors(address):
        names = {collection.name for collection in client.get_collections().collections}
    if not alias or alias in names or alias == address.name:
        raise ValueError(
            f'an alias must have a name of its own, got {alias!r}, a collection; let the application search by an '
            'alias, which can be switched, and not by the name of a collection'
        )


def switch_alias(client: Any, address: StoreAddress, alias: str) -> str | None:
    """Let an alias name an upgraded collection, in one step, and note which one it named before.

    Args:
        client: A ``QdrantClient``.
        address: The upgraded collection.
        alias: The alias; it is created if there is none.

    Returns:
        The collection that it named before, ``None`` if it is new; the collection itself if nothing had to be done.

    Raises:
        ConnectionError: If the server does not answer, or answers with an error.
        ValueError: If the collection is not complete, or the name is that of a collection.
    """
    from qdrant_client import models

    check_alias(client, address, alias)
    with qdrant_errors(address):
        key, notes = _notes(client, address)
        if not notes.complete:
            raise ValueError(f'{address} must be complete before {alias!r} may name it; run the upgrade once more')
        current = _current(client, alias)
        if current == address.name:
            return current
        # First, so that a switch can be undone whenever this process ends.
        write_notes(client, address, notes.with_state(previous={**notes.previous, alias: current}), key)
        operations: list[Any] = []
        if current is not None:
            operations.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)))
        create = models.CreateAlias(collection_name=address.name, alias_name=alias)
        client.update_collection_aliases([*operations, models.CreateAliasOperation(create_alias=create)])
    return current


def rollback_alias(client: Any, address: StoreAddress, alias: str) -> str | None:
    """Let an alias name the collection again that it named before `switch_alias`, or remove it if it was new.

    Args:
        client: A ``QdrantClient``.
        address: The upgraded collection, which stays.
        alias: The alias.

    Returns:
        The collection that it names now, ``None`` if it is removed.

    Raises:
        ConnectionError: If the server does not answer, or answers with an error.
        ValueError: If the alias does not name the collection, or was not switched to it by `switch_alias`, or the
            collection that it named is gone or not complete.
    """
    from qdrant_client import models

    with qdrant_errors(address):
        key, notes = _notes(client, address)
        current = _current(client, alias)
        if current != address.name or alias not in notes.previous:
            raise ValueError(
                f'alias {alias!r} must have been switched to {address} to be rolled back, got an alias of '
                f'{current or "nothing"}'
            )
        previous = notes.previous[alias]
        operations: list[Any] = [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)),
        ]
        if previous is not None:
            if previous not in {collection.name for collection in client.get_collections().collections}:
                raise ValueError(f'collection {previous!r}, which {alias!r} named before {address}, is gone')
            before = StoreAddress(address.kind, address.root, previous)
            if not all(entry.complete for entry in _collection_notes(client, before).values()):
                raise ValueError(f'{before}, which {alias!r} named before {address}, must be complete')
            create = models.CreateAlias(collection_name=previous, alias_name=alias)
            operations.append(models.CreateAliasOperation(create_alias=create))
        client.update_collection_aliases(operations)
        rest = {name: value for name, value in notes.previous.items() if name != alias}
        write_notes(client, address, notes.with_state(previous=rest), key)
    return previous


def _notes(client: Any, address: StoreAddress) -> tuple[str, TargetNotes]:
    found = _collection_notes(client, address)
    if len(found) != 1:
        raise ValueError(f'{address} must be a collection that an upgrade has written, got one without its notes')
    return next(iter(found.items()))


def _collection_notes(client: Any, address: StoreAddress) -> dict[str, TargetNotes]:
    """Read the notes of an upgrade into a new collection by their key; those of named vectors added to it are not."""
    if not client.collection_exists(address.name):
        raise FileNotFoundError(f'{address} must exist')
    keys = [key for key in client.get_collection(address.name).config.metadata or {} if key.startswith(NOTES_KEY)]
    found = {key: read_notes(client, address, key) for key in keys}
    return {key: notes for key, notes in found.items() if notes is not None and notes.fingerprint is not None}


def _current(client: Any, alias: str) -> str | None:
    """Return the collection that an alias names."""
    return {entry.alias_name: entry.collection_name for entry in client.get_aliases().aliases}.get(alias)
