"""Connect to Qdrant: a server, or the embedded form in a folder."""

from __future__ import annotations

import os
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
