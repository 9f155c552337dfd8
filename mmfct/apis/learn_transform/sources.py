"""Open what a transformation is learned from, and learn it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmfct.apis.learn_transform.learn import learn_transform
from mmfct.apis.learn_transform.outputs import check_outputs
from mmfct.apis.learn_transform.pairs import join_pairs
from mmfct.apis.learn_transform.result import Learned
from mmfct.apis.learn_transform.settings import LearnSettings
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.options import SourceOptions


def learn_from_sources(
    sources: Mapping[str, str | None],
    out: str | Path,
    *,
    models: Mapping[str, str | None] | None = None,
    columns: VectorColumns | None = None,
    new_vector: str | None = None,
    new_id: str | None = None,
    skip_missing: bool = False,
    distance: str | None = None,
    max_pairs: int = 50_000,
    seed: int | None = None,
    config: str | None = None,
    **options: Any,
) -> Learned:
    """Learn a transformation from vectors wherever they are; see `join_pairs` and `learn_transform`.

    Args:
        sources: What `open_source` opens, by ``old``, ``new`` and perhaps ``side``.
        out: The transform file.
        models: Names of the models likewise, for vectors of other programs; by default those of the files.
        columns: Names of the columns of vectors of other programs; ``side`` is a column of ``old``, or of the source
            of the side-information if there is one.
        new_vector: Name of the column with the new vectors; ``None`` finds it.
        new_id: Name of the column with their ids; ``None`` for that of the old ones.
        skip_missing: Whether rows without an old vector are left out, instead of refused. Those without a new one, or
            without side-information that is stored apart, always are: these are often there for a sample only.
        distance: How upgraded embeddings are compared; ``None`` for what the new or the old source says, or cosine.
        max_pairs: See `join_pairs`.
        seed: Seed of all that is drawn; ``None`` for that of the config.
        config: Config with an entry ``learn``, see `LearnSettings`.
        options: Further arguments of `learn_transform`.

    Returns:
        What was learned.

    Raises:
        FileNotFoundError: If a source or the config is missing.
        OSError: If ``out`` or the report cannot be written.
        ValueError: See `open_source`, `join_pairs` and `learn_transform`; or if side-information is named for an
            adapter of queries, or ``out`` or the report would replace something else, see `check_outputs`.
    """
    direction = options.get('direction', 'gallery')
    if direction == 'query' and (sources.get('side') is not None or (columns is not None and columns.side)):
        raise ValueError(
            'an adapter maps queries alone, which have no side-information: leave `--side` and `--side-column` out'
        )
    settings = LearnSettings() if config is None else LearnSettings.from_config(_learn_entry(config))
    settings = settings if seed is None else replace(settings, seed=seed)
    check_outputs(out, options.get('report'), [path for path in sources.values() if path is not None])
    columns, names = columns or VectorColumns(), models or {}
    opened: dict[str, GallerySource] = {}
    fallback = 'cosine'
    for role, path in sources.items():
        if path is None:
            continue
        given = SourceOptions(
            _columns_of(role, path, columns, new_vector, new_id, apart=sources.get('side') is not None),
            model=names.get(role),
            distance=distance,
            fallback_distance=fallback,
            skip_missing=skip_missing or role != 'old',
        )
        if role == 'old' and sources.get('side') is None and given.model is not None:
            given = replace(given, side_model=names.get('side'))
        try:
            opened[role] = open_source(path, named_after_file=True, options=given)
        except ValueError as error:
            if role == 'new' and columns.id is not None and new_id is None:
                raise ValueError(
                    f'{error}; `--new-id-column` names the ids of NEW where it has another one'
                ) from error
            raise
        fallback = Provenance.from_metadata(opened['old'].metadata).distance
    searched = 'old' if direction == 'query' else 'new'
    pairs = join_pairs(
        opened['old'],
        opened['new'],
        opened.get('side'),
        distance=distance or Provenance.from_metadata(opened[searched].metadata).distance,
        max_pairs=max_pairs,
        seed=settings.seed,
    )
    return learn_transform(pairs, out, settings=settings, **options)


def _columns_of(
    role: str, path: str, columns: VectorColumns, new_vector: str | None, new_id: str | None, *, apart: bool
) -> VectorColumns:
    """Return the columns of one of the sources, whose names the others need not share."""
    if role == 'old':
        return replace(columns, side='') if apart else columns
    # A .npy file has no names of columns, and the ids beside it are found without one.
    shared = None if path.endswith('.npy') else columns.id
    if role == 'side':
        return VectorColumns(columns.side, shared, '', '')
    return VectorColumns(new_vector, shared if new_id is None else new_id, None if columns.label is None else '', '')


def _learn_entry(config: str) -> Mapping[str, Any]:
    if not Path(config).is_file():
        raise FileNotFoundError(f'config {config!r} does not exist')
    try:
        entries = Config.fromfile(config).get('learn')
    except Exception as error:  # a config is code
        raise ValueError(f'config {config!r} cannot be read: {type(error).__name__}: {error}') from error
    if not isinstance(entries, Mapping):
        raise ValueError(f'config {config!r} must have an entry `learn = dict(...)`, got {entries!r}')
    return entries
