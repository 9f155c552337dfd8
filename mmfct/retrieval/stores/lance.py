"""Open tables of LanceDB."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

from mmfct.retrieval.stores.address import StoreAddress


def lance_module() -> ModuleType:
    """Import lancedb.

    Raises:
        ImportError: If it, or pyarrow, is not installed.
    """
    try:
        import lancedb
        import pyarrow  # noqa: F401  # its tables are pyarrow's
    except ImportError as error:
        raise ImportError("LanceDB needs lancedb; install it with `pip install 'mmfct[lancedb]'`") from error
    return lancedb


def connect_lance(address: StoreAddress) -> Any:
    """Connect to a database that exists; LanceDB itself would create the folder.

    Databases in the cloud take their keys from the environment, as LanceDB documents.

    Raises:
        FileNotFoundError: If there is no such folder.
        ImportError: If lancedb is not installed.
    """
    lance = lance_module()
    if address.is_local and not Path(address.root).is_dir():
        raise FileNotFoundError(f'a database of LanceDB must be a folder, got {address.root!r} of {address}')
    return lance.connect(address.root)


def open_lance_table(address: StoreAddress, *, version: int | None = None) -> Any:
    """Open a table.

    Args:
        address: Its address.
        version: The version that is read from now on, whatever is written meanwhile; ``None`` for the latest.

    Returns:
        A ``lancedb.table.Table``.

    Raises:
        FileNotFoundError: If there is no such database, table or version.
        ImportError: If lancedb is not installed.
    """
    database = connect_lance(address)
    try:
        table = database.open_table(address.name)
    except (FileNotFoundError, ValueError) as error:
        names = ', '.join(lance_tables(database)) or 'none'
        raise FileNotFoundError(
            f'{address.root!r} must have a table {address.name!r}, got the tables {names}: {_first_line(error)}'
        ) from error
    if version is not None:
        try:
            table.checkout(version)
        except (OSError, RuntimeError, ValueError) as error:
            raise FileNotFoundError(f'{address} has no version {version}: {_first_line(error)}') from error
    return table


def lance_tables(database: Any) -> list[str]:
    """List the names of all tables of a database."""
    names: list[str] = []
    token = None
    while True:
        page = database.list_tables(page_token=token)
        names += page.tables
        token = page.page_token
        if token is None:
            return names


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].replace(os.linesep, ' ')
