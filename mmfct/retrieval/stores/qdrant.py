"""Connect to Qdrant: a server, or the embedded form in a folder."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mmfct.retrieval.stores.address import StoreAddress

# Environment variable with the key of a server that asks for one: command lines can be seen by others.
API_KEY = 'QDRANT_API_KEY'
_META = 'meta.json'
_SECONDS = 60


def qdrant_module() -> ModuleType:
    """Import qdrant_client.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import qdrant_client
    except ImportError as error:
        raise ImportError("Qdrant needs qdrant-client; install it with `pip install 'mmfct[qdrant]'`") from error
    return qdrant_client


def qdrant_client(address: StoreAddress, *, create: bool = False) -> Any:
    """Connect to the database of a collection.

    The embedded form can be open in one process at a time. It keeps points as pickles, which run code when they are
    loaded: open only folders that you trust. A server that asks for a key gets that of ``QDRANT_API_KEY``.

    Args:
        address: Address of a collection, which need not exist.
        create: Whether to create the folder of an embedded database that does not exist.

    Returns:
        A ``QdrantClient``, to be closed by the caller.

    Raises:
        FileNotFoundError: If there is no such embedded database.
        ImportError: If qdrant-client is not installed.
        ValueError: If the embedded database is open in another process, or damaged.
    """
    module = qdrant_module()
    if not address.is_local:
        return module.QdrantClient(
            url=address.root, api_key=os.environ.get(API_KEY), timeout=_SECONDS, check_compatibility=False
        )
    folder = Path(address.root)
    if not create and not (folder / _META).is_file():
        raise FileNotFoundError(
            f'an embedded database of Qdrant must be a folder with {_META}, got {address.root!r} of {address}'
        )
    try:
        return module.QdrantClient(path=str(folder))
    except RuntimeError as error:
        raise ValueError(
            f'{address.root!r} must not be open in another process, because the embedded form of Qdrant serves one '
            f'at a time; end the other one, or use a server: {error}'
        ) from error


def open_collection(address: StoreAddress) -> tuple[Any, Any, Callable[[], None]]:
    """Open a collection to read it; an embedded one is copied, so it may be read-only or open in another process.

    Returns:
        A ``QdrantClient``, the description of the collection, and what to call at the end.

    Raises:
        ConnectionError: If the server does not answer.
        FileNotFoundError: If there is no such collection.
        ImportError: If qdrant-client is not installed.
    """
    module = qdrant_module()
    from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

    folder = _copy_embedded(address) if address.is_local else None
    client = qdrant_client(address) if folder is None else module.QdrantClient(path=folder.name)

    def close() -> None:
        client.close()
        if folder is not None:
            folder.cleanup()

    try:
        return client, client.get_collection(address.name), close
    except UnexpectedResponse as error:
        close()
        if error.status_code == 404:
            raise FileNotFoundError(f'{address.root} must have a collection {address.name!r}: {error}') from error
        raise ConnectionError(f'{address} could not be read: {error}') from error
    except ApiException as error:
        close()
        raise ConnectionError(f'{address.root} must answer as a server of Qdrant: {error}') from error


def _copy_embedded(address: StoreAddress) -> tempfile.TemporaryDirectory:
    """Copy one collection of an embedded database to a temporary folder, in one consistent state."""
    folder = Path(address.root)
    if not (folder / _META).is_file():
        raise FileNotFoundError(
            f'an embedded database of Qdrant must be a folder with {_META}, got {address.root!r} of {address}'
        )
    meta = json.loads((folder / _META).read_text())
    name = meta.get('aliases', {}).get(address.name, address.name)
    if name not in meta['collections']:
        known = ', '.join(meta['collections']) or 'none'
        raise FileNotFoundError(f'{address.root!r} must have a collection {address.name!r}, got {known}')
    copy = tempfile.TemporaryDirectory()
    aliases = {} if name == address.name else {address.name: name}
    only = dict(collections={name: meta['collections'][name]}, aliases=aliases)
    (Path(copy.name) / _META).write_text(json.dumps(only))
    relative = Path('collection', name, 'storage.sqlite')
    if (folder / relative).is_file():
        (Path(copy.name) / relative).parent.mkdir(parents=True)
        with (
            contextlib.closing(
                sqlite3.connect(f'{(folder / relative).absolute().as_uri()}?mode=ro', uri=True)
            ) as given,
            contextlib.closing(sqlite3.connect(Path(copy.name) / relative)) as taken,
        ):
            try:
                given.backup(taken)
            except sqlite3.Error as error:
                raise ValueError(f'{folder / relative} must be a database of Qdrant, got {error}') from error
    return copy
