"""Errors of stores become those of this project."""

from __future__ import annotations

import pytest

from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.reading import store_errors

from .conftest import write_lance, write_qdrant


def test_one_line_with_what_to_do():
    message = 'x must stay where it is while it is read, got RuntimeError: lost in /a; bring it back, or what it lacks'
    with pytest.raises(FileNotFoundError, match=message), store_errors('x', (RuntimeError,)):
        raise RuntimeError('lost\n  in /a')
    with pytest.raises(KeyError), store_errors('x', (RuntimeError,)):
        raise KeyError


def test_a_table_that_is_damaged_is_refused_when_it_is_opened(tmp_path, items):
    text = write_lance(tmp_path / 'db', items)
    for file in tmp_path.glob('db/items.lance/data/*'):
        file.write_bytes(b'')
    for skip_missing in (False, True):
        with pytest.raises(
            FileNotFoundError, match='db/items must stay where it is while it is read, got RuntimeError'
        ):
            open_source(text, options=SourceOptions(model='m', distance='l2', skip_missing=skip_missing))


@pytest.mark.parametrize('request_', ['scroll', 'count'])
def test_a_server_that_fails_while_it_is_opened(request_, tmp_path, items, monkeypatch):
    """Such as one that is too old to filter points by their vectors."""
    qdrant = pytest.importorskip('qdrant_client')
    from qdrant_client.http.exceptions import ResponseHandlingException

    text = write_qdrant(tmp_path / 'q', items)

    def fail(*_, **__):
        raise ResponseHandlingException(OSError('no such condition'))

    monkeypatch.setattr(qdrant.QdrantClient, request_, fail)
    with pytest.raises(
        FileNotFoundError, match='q/items must stay where it is while it is read, got Response.*no such'
    ):
        open_source(text, options=SourceOptions(model='m', skip_missing=True))
