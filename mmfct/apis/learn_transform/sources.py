"""Open what a transformation is learned from, and learn it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmfct.apis.learn_transform.learn import learn_transform
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
    distance: str | None = None,
    max_pairs: int = 50_000,
    seed: int = 0,
    config: str | None = None,
    **options: Any,
) -> Learned:
    """Learn a transformation from vectors wherever they are; see `join_pairs` and `learn_transform`.

    Args:
        sources: What `open_source` opens, by ``old``, ``new`` and perhaps ``side``.
        out: The transform file.
        models: Names of the models likewise, for vectors of other programs; by default those of the files.
        columns: Names of the columns of vectors of other programs.
        new_vector: Name of the column with the new vectors; ``None`` finds it.
        distance: How upgraded embeddings are compared; ``None`` for what the new or the old source says, or cosine.
        max_pairs: See `join_pairs`.
        seed: Seed of all that is drawn.
        config: Config with an entry ``learn``, see `LearnSettings`.
        options: Further arguments of `learn_transform`.

    Returns:
        What was learned.

    Raises:
        FileNotFoundError: If a source or the config is missing.
        ValueError: See `open_source`, `join_pairs` and `learn_transform`.
    """
    settings = LearnSettings() if config is None else LearnSettings.from_config(_learn_entry(config))
    columns, names = columns or VectorColumns(), models or {}
    opened: dict[str, GallerySource] = {}
    fallback = 'cosine'
    for role, path in sources.items():
        if path is None:
            continue
        of_role = columns if role == 'old' else replace(columns, vector=new_vector if role == 'new' else None, side='')
        given = SourceOptions(of_role, model=names.get(role), distance=distance, fallback_distance=fallback)
        if role == 'old' and sources.get('side') is None and given.model is not None:
            given = replace(given, side_model=names.get('side'))
        opened[role] = open_source(path, named_after_file=True, options=given)
        fallback = Provenance.from_metadata(opened['old'].metadata).distance
    direction = options.get('direction', 'gallery')
    searched = 'old' if direction == 'query' else 'new'
    pairs = join_pairs(
        opened['old'],
        opened['new'],
        opened.get('side'),
        distance=distance or Provenance.from_metadata(opened[searched].metadata).distance,
        max_pairs=max_pairs,
        seed=seed,
    )
    return learn_transform(pairs, out, settings=replace(settings, seed=seed), **options)


def _learn_entry(config: str) -> Mapping[str, Any]:
    if not Path(config).is_file():
        raise FileNotFoundError(f'config {config!r} does not exist')
    entries = Config.fromfile(config).get('learn')
    if not isinstance(entries, Mapping):
        raise ValueError(f'config {config!r} must have an entry `learn = dict(...)`, got {entries!r}')
    return entries
