"""Read queries and galleries, and bring their labels together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmfct.apis.evaluate_compatibility.common_labels import with_common_labels
from mmfct.apis.evaluate_compatibility.joined_labels import with_joined_labels
from mmfct.apis.evaluate_compatibility.named_columns import GALLERY, QUERY
from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.retrieval.stores.options import SourceOptions

_TITLES = {QUERY: 'queries', GALLERY: 'gallery'}


def read_sets(
    queries: Mapping[str, str | Path],
    galleries: Mapping[str, str | Path],
    groups: str | None,
    options: Mapping[str, SourceOptions],
) -> tuple[dict[str, StoredSet], dict[str, StoredSet]]:
    """Read all sets, with labels numbered in one way; arguments as of `evaluate_compatibility`.

    Returns:
        Queries and galleries by name.

    Raises:
        ValueError: If options are those of an unknown set; see `StoredSet.read` and `with_common_labels`.
    """
    paths = {
        (kind, name): path for kind, named in ((QUERY, queries), (GALLERY, galleries)) for name, path in named.items()
    }
    unknown = sorted(options.keys() - {name for _, name in paths} - {f'{kind}:{name}' for kind, name in paths})
    if unknown:
        raise ValueError(
            f'what is said of a set needs its name, one of {", ".join({**queries, **galleries})}, got {unknown[0]!r}'
        )
    given = {(kind, name): options.get(f'{kind}:{name}', options.get(name)) for kind, name in paths}
    sets = {
        (kind, name): StoredSet.read(
            name, path, groups, need_labels=False, options=given[kind, name], kind=_TITLES[kind]
        )
        for (kind, name), path in paths.items()
    }
    bare = [key for key, option in given.items() if option is not None and option.columns.label == '']
    sets = with_common_labels(with_joined_labels(sets, keep=bare))
    query_sets, gallery_sets = (
        {name: stored for (kind, name), stored in sets.items() if kind == wanted} for wanted in (QUERY, GALLERY)
    )
    return query_sets, gallery_sets
