"""Notes about upgrades in the metadata of a collection of Qdrant, and errors of servers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from mmfct.retrieval.stores.address import StoreAddress
from mmfct.retrieval.stores.notes_target import TargetNotes


def read_notes(client: Any, address: StoreAddress, key: str) -> TargetNotes | None:
    """Read the notes about a vector of a collection; ``None`` if there are none.

    Raises:
        ValueError: If they are damaged.
    """
    text = (client.get_collection(address.name).config.metadata or {}).get(key)
    return (
        None
        if text is None
        else TargetNotes.decode(json.dumps(text) if isinstance(text, dict) else text, str(address))
    )


def write_notes(client: Any, address: StoreAddress, notes: TargetNotes, key: str) -> None:
    """Write the notes about a vector of a collection."""
    client.update_collection(address.name, metadata={key: notes.encode()})


@contextlib.contextmanager
def qdrant_errors(address: StoreAddress) -> Iterator[None]:
    """Turn the errors of a server into one that names the collection.

    Raises:
        ConnectionError: If the server does not answer, or answers with an error.
    """
    from qdrant_client.http.exceptions import ApiException

    try:
        yield
    except ApiException as error:
        lines = ' '.join(str(error).split())
        raise ConnectionError(f'{address} could not be read or written: {lines}') from error
    except KeyError as error:
        raise ConnectionError(f'{address} has lost a point while it was read or written: {error}') from error
