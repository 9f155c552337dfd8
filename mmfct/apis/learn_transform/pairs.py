"""Pairs of old and new embeddings of the same items, joined by id."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mmfct.apis.learn_transform.common_rows import common_rows, example_ids, source_names
from mmfct.apis.learn_transform.repeats import near_repeats, without_repeats, without_zeros
from mmfct.functional.retrieval_scores import UNKNOWN
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.inspect import check_lengths
from mmfct.retrieval.transform.profile import InputProfile

MIN_PAIRS = 100
_FEW_PAIRS = 500
_PROBED_ROWS = 4096  # of the old source, which the pairs must represent


@dataclass(frozen=True)
class Pairs:
    """N items with the embeddings of both models.

    Args:
        ids: Ids of the items, of shape (N,).
        old: Old embeddings of shape (N, D), float32.
        new: New embeddings of shape (N, D').
        side: Side-information of shape (N, S); ``None`` if there is none.
        labels: Classes of shape (N,), -1 where not known; ``None`` if none is.
        models: Model of each column, by ``old``, ``new`` and perhaps ``side``.
        distance: How embeddings are compared, one of `mmfct.utils.distances.DISTANCES`.
        notes: What a user should know about the join, in sentences.
        views_of: Number of the item that each pair is a view of, of shape (N,); ``None`` if all are of other items.
            Views of one item are never learned from and held out at once.
    """

    ids: np.ndarray
    old: Tensor
    new: Tensor
    side: Tensor | None
    labels: Tensor | None
    models: dict[str, ModelIdentity]
    distance: str
    notes: tuple[str, ...] = ()
    views_of: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def items(self) -> Tensor:
        """Numbers of the items, of shape (N,)."""
        return torch.arange(len(self)) if self.views_of is None else self.views_of

    def take(self, rows: Tensor) -> Pairs:
        """Return some of the pairs, rows of shape (M,)."""
        return replace(
            self,
            ids=self.ids[rows.numpy()],
            old=self.old[rows],
            new=self.new[rows],
            side=None if self.side is None else self.side[rows],
            labels=None if self.labels is None else self.labels[rows],
            views_of=None if self.views_of is None else self.views_of[rows],
        )

    def reversed(self) -> Pairs:
        """Return the pairs for the way back, from new embeddings to old ones; without side-information."""
        models = dict(old=self.models['new'], new=self.models['old'])
        return replace(self, old=self.new, new=self.old, side=None, models=models)


def join_pairs(
    old: GallerySource,
    new: GallerySource,
    side: GallerySource | None = None,
    *,
    distance: str | None = None,
    max_pairs: int = 50_000,
    seed: int = 0,
) -> Pairs:
    """Find the items that all sources have; sources may be much larger than memory.

    Args:
        old: Embeddings of the old model.
        new: Embeddings of the new model, usually of a sample of the items.
        side: Side-information, as a source of its own; ``None`` for the column ``side_info`` of ``old``, if there is
            one.
        distance: How upgraded embeddings will be compared; ``None`` for the distance of ``new``.
        max_pairs: Most pairs; of more, that many are drawn.
        seed: Seed of that draw.

    Raises:
        ValueError: If ``max_pairs`` or the number of items in all sources is below 100, a source has an id twice, a
            vector is not finite, or too short or too long, two of old, new and side vectors are equal, old and new
            ones of one model, or the pairs do not represent the old source.
    """
    if max_pairs < MIN_PAIRS:
        raise ValueError(f'`max_pairs` must be at least {MIN_PAIRS}, got {max_pairs}')
    sources = dict(old=old, new=new) | ({} if side is None else dict(side=side))
    rows, notes = common_rows(sources)
    found = len(rows['new'])
    if found < MIN_PAIRS:
        raise ValueError(
            f'at least {MIN_PAIRS} items must be in all of {source_names(sources)}, got {found}; '
            f'{example_ids(sources)}embed more items of OLD with the new model (`mmfct plan-sample` chooses them), '
            'and use the same ids'
        )
    if found > max_pairs:
        chosen = np.sort(np.random.default_rng(seed).choice(found, max_pairs, replace=False))
        rows = {role: places[chosen] for role, places in rows.items()}
        notes.append(f'{max_pairs:,} of {found:,} pairs were drawn (`--max-pairs`)')
    provenances = {role: Provenance.from_metadata(source.metadata) for role, source in sources.items()}
    models = {role: provenance.embedding for role, provenance in provenances.items()}
    columns = {role: _floats(source, 'embedding', rows[role]) for role, source in sources.items()}
    if side is None and 'side_info' in old.columns:
        columns['side'] = _floats(old, 'side_info', rows['old'])
        unnamed = ModelIdentity.named(f'{models["old"].name}-side')
        models['side'] = provenances['old'].side_info or unnamed
    pairs = Pairs(
        old.rows('id', rows['old']).astype(str),
        columns['old'],
        columns['new'],
        columns.get('side'),
        _labels(old, new, rows),
        models,
        distance or provenances['new'].distance,
    )
    for leave_out in (without_zeros, without_repeats):
        pairs, left_out = leave_out(pairs)
        notes += left_out
    if len(pairs) < _FEW_PAIRS:
        notes.append(f'{len(pairs)} pairs are few: from about {_FEW_PAIRS} on, choices become reliable')
    _check(pairs, old, sources)
    notes += near_repeats(pairs)
    return replace(pairs, notes=tuple(notes))


def _floats(source: GallerySource, name: str, rows: np.ndarray) -> Tensor:
    values = torch.from_numpy(source.rows(name, rows).astype(np.float32))
    bad = (~torch.isfinite(values).all(dim=1)).nonzero().squeeze(1).numpy()
    if len(bad):
        first = source.rows('id', rows[bad[:1]])[0]
        raise ValueError(
            f'`{name}` of {source.path} must be finite, got {len(bad)} rows with NaN or infinite values, such as '
            f'that of {str(first)!r}; remove or embed them again'
        )
    check_lengths(values.numpy(), f'`{name}` of {source.path}')
    return values


def _labels(old: GallerySource, new: GallerySource, rows: dict[str, np.ndarray]) -> Tensor | None:
    for source, role in ((old, 'old'), (new, 'new')):
        if 'label' in source.columns:
            labels = torch.from_numpy(source.rows('label', rows[role]).astype(np.int64))
            if (labels != UNKNOWN).any():
                return labels
    return None


def _check(pairs: Pairs, old: GallerySource, sources: dict[str, GallerySource]) -> None:
    if len(pairs) < MIN_PAIRS:
        raise ValueError(
            f'at least {MIN_PAIRS} pairs must be left, got {len(pairs)} that are not zero and differ from one another'
        )
    if pairs.models['old'].fingerprint == pairs.models['new'].fingerprint:
        raise ValueError(
            f'OLD and NEW must be of two models, got {pairs.models["new"]} for both of {source_names(sources)}; '
            'name them with `--old-model` and `--new-model`'
        )
    if pairs.old.shape == pairs.new.shape and torch.equal(pairs.old, pairs.new):
        raise ValueError(
            f'OLD and NEW must be embeddings of two models, got the same vectors in {source_names(sources)}'
        )
    for role, vectors in (('OLD', pairs.old), ('NEW', pairs.new)):
        if pairs.side is not None and pairs.side.shape == vectors.shape and torch.equal(pairs.side, vectors):
            raise ValueError(
                f'side-information must be embeddings of a third model, got the vectors of {role}; name another '
                '`--side` or `--side-column`, or none'
            )
    for role, values in (('old', pairs.old), ('new', pairs.new), ('side', pairs.side)):
        if values is not None and bool((values == values[0]).all()):
            raise ValueError(f'the {role} embeddings must differ between items, got {len(values)} equal rows')
    probe = np.unique(np.linspace(0, len(old) - 1, _PROBED_ROWS).astype(np.int64))
    if len(old) > len(pairs):
        objection = InputProfile.of(pairs.old, unit=False).objection(_floats(old, 'embedding', probe), unit=False)
        if objection is not None:
            raise ValueError(
                f'the pairs must represent {old.path}, whose vectors {objection}; draw the items to embed with '
                '`mmfct plan-sample`'
            )
