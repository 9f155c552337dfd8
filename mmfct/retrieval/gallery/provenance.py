"""Which models made the embeddings of a gallery, and how these are compared: the typed form of its metadata."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from mmfct.utils.distances import check_distance
from mmfct.utils.fingerprint import canonical_json, fingerprint_json

_FINGERPRINT = re.compile('[0-9a-f]{64}')


@dataclass(frozen=True)
class ModelIdentity:
    """A model: its name is for people, its fingerprint and preprocessing for comparisons.

    The same weights make other embeddings of images of another size, so what changes pixels on the way from the image
    to the network belongs to the identity.

    Args:
        name: Name, such as that of its config.
        fingerprint: `fingerprint_state_dict` of its weights.
        preprocessing: What is known of the way from an image to the network, as plain JSON by name, such as ``input``
            for the shape (C, H, W). ``None`` if nothing is known, as of galleries of earlier versions.

    Raises:
        ValueError: If ``fingerprint`` is not one.
    """

    name: str
    fingerprint: str
    preprocessing: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.fingerprint, str) or not _FINGERPRINT.fullmatch(self.fingerprint):
            raise ValueError(f'`fingerprint` must be 64 hexadecimal digits, got {self.fingerprint!r}')

    def __str__(self) -> str:
        return self.name if self.is_named_only else f'{self.name} ({self.fingerprint[:12]})'

    @classmethod
    def named(cls, name: str) -> ModelIdentity:
        """Identify a model by its name alone, such as ``text-embedding-3-small``, where its weights are not at hand.

        Raises:
            ValueError: If the name is empty.
        """
        if not name.strip():
            raise ValueError(f'the name of a model must not be empty, got {name!r}')
        return cls(name, _fingerprint_of_name(name))

    @property
    def is_named_only(self) -> bool:
        """Whether the name is all that is known."""
        return self.fingerprint == _fingerprint_of_name(self.name)

    def with_preprocessing(self, entries: Mapping[str, Any]) -> ModelIdentity:
        """Return the same model with further entries of its preprocessing."""
        return replace(self, preprocessing={**(self.preprocessing or {}), **entries})

    def to_json(self) -> dict[str, Any]:
        """Return the entry of a manifest or of the header of a transform file."""
        known = {} if self.preprocessing is None else dict(preprocessing=dict(self.preprocessing))
        return dict(name=self.name, fingerprint=self.fingerprint, **known)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> ModelIdentity:
        """Read what :meth:`to_json` returned.

        Raises:
            ValueError: If it is something else.
        """
        try:
            preprocessing = entry.get('preprocessing')
            if preprocessing is not None and not isinstance(preprocessing, Mapping):
                raise TypeError('preprocessing')
            return cls(str(entry['name']), entry['fingerprint'], preprocessing)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f'a model must have `name` and `fingerprint`, got {entry!r}') from error


@dataclass(frozen=True)
class Provenance:
    """Where the embeddings of a gallery come from; `Gallery.metadata` holds its JSON form.

    Args:
        embedding: The model whose space the embeddings are in now; queries must come from the same model.
        side_info: The model of the side-information, or ``None`` if there is none.
        distance: How embeddings are compared, one of `mmfct.utils.distances.DISTANCES`.
        upgrades: Transforms that were applied since the images were embedded, in order, each as plain JSON (see
            `Transform.to_json`).

    Raises:
        ValueError: If the distance is unknown.
    """

    embedding: ModelIdentity
    side_info: ModelIdentity | None = None
    distance: str = 'l2'
    upgrades: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        check_distance(self.distance)

    def to_metadata(self) -> dict[str, Any]:
        """Return the metadata of a gallery."""
        return dict(
            embedding_model=self.embedding.to_json(),
            side_info_model=self.side_info and self.side_info.to_json(),
            distance=self.distance,
            upgrades=[dict(upgrade) for upgrade in self.upgrades],
        )

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Provenance:
        """Read what :meth:`to_metadata` returned.

        Raises:
            ValueError: If these are not the metadata of a gallery.
        """
        try:
            side_info = metadata['side_info_model']
            return cls(
                ModelIdentity.from_json(metadata['embedding_model']),
                side_info and ModelIdentity.from_json(side_info),
                metadata['distance'],
                tuple(metadata['upgrades']),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(
                f'a gallery must say which model made it, got metadata {sorted(metadata)}; make it with '
                '`mmfct extract`'
            ) from error


def _fingerprint_of_name(name: str) -> str:
    return fingerprint_json({'model_name': name})


def check_same_model(query: ModelIdentity, gallery: Provenance) -> None:
    """Refuse queries of another model than the gallery's: their distances would look plausible and mean nothing.

    Raises:
        ValueError: If the models, or their preprocessing, differ; the message names both.
    """
    if query.fingerprint != gallery.embedding.fingerprint:
        raise ValueError(
            f'queries and gallery must come from the same model, got queries of {query} and a gallery of '
            f'{gallery.embedding}; upgrade the gallery with `mmfct upgrade` or embed the queries with its own model'
        )
    check_same_preprocessing('queries', query, gallery.embedding)


def check_same_preprocessing(what: str, given: ModelIdentity, wanted: ModelIdentity, owner: str = 'gallery') -> None:
    """Refuse embeddings of images that reached the same network in another way, such as in another size.

    Entries that both know are compared. If one of them knows nothing, this is logged, once; not of a model that is
    known by its name alone, whose vectors need not come from images.

    Args:
        what: What messages call the embeddings, in the plural.
        given: Model of these.
        wanted: The same model, as the other side knows it.
        owner: What messages call the other side.

    Raises:
        ValueError: If an entry differs; the message names it and both values.
    """
    if given.preprocessing is None or wanted.preprocessing is None:
        if wanted.is_named_only:
            return
        silent = what if given.preprocessing is None else owner
        _warn_once(
            f'{what} and {owner} of {wanted}: an earlier version or another program made the {silent} and did not '
            'note how images were preprocessed; make sure that both had the same image size and pipeline'
        )
        return
    for name in sorted(given.preprocessing.keys() & wanted.preprocessing.keys()):
        ours, theirs = (canonical_json(model.preprocessing[name]) for model in (given, wanted))  # type: ignore[index]
        if ours != theirs:
            raise ValueError(
                f'{what} and {owner} of {wanted} must come from images with the same preprocessing, got `{name}` '
                f'{ours} for the {what} and {theirs} for the {owner}; make one of them again with the config and '
                '`--cfg-options` (such as `image_size`) of the other'
            )


@cache
def _warn_once(text: str) -> None:
    from mmengine.logging import print_log  # here: a gallery is read and written with numpy alone

    print_log(text, 'current', logging.WARNING)


def check_same_distance(what: str, given: Provenance, gallery: Provenance) -> None:
    """Refuse an embedding set with another distance than the gallery's, of which one would be ignored silently.

    Args:
        what: What the message calls the set.
        given: Provenance of the set.
        gallery: Provenance of the gallery.

    Raises:
        ValueError: If the distances differ; the message names both.
    """
    if given.distance != gallery.distance:
        raise ValueError(
            f'{what} and gallery must have the same `distance`, got {given.distance!r} and {gallery.distance!r}; make '
            f'the {what} with `mmfct extract --distance {gallery.distance}`, read those of another program with '
            f'`--distance {gallery.distance}`, or, where the model itself is searched that way, upgrade the gallery '
            f'with `mmfct upgrade --distance {given.distance}`'
        )
