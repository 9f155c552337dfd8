"""Pairs of embedding sets that are compared: which queries search which gallery."""

from __future__ import annotations

from typing import NamedTuple


class Pair(NamedTuple):
    """Queries and the gallery that they search, each by name; a user writes it ``query/gallery``."""

    query: str
    gallery: str

    def __str__(self) -> str:
        return f'{self.query}/{self.gallery}'

    @property
    def title(self) -> str:
        """The pair as papers write it: ``new/upgraded`` is ``new/h(old)``, ``adapted_new/old`` ``adapted new/old``."""
        names = ('h(old)' if name == 'upgraded' else name for name in self)
        return '/'.join(names).replace('adapted_', 'adapted ')

    @classmethod
    def parse(cls, text: str) -> Pair:
        """Read ``query/gallery``.

        Raises:
            ValueError: If it is written otherwise.
        """
        if not isinstance(text, str) or [bool(name) for name in text.split('/')] != [True, True]:
            raise ValueError(f"a pair must be written 'query/gallery', got {text!r}")
        return cls(*text.split('/'))


OLD_OLD, NEW_NEW = Pair('old', 'old'), Pair('new', 'new')
NEW_UPGRADED = Pair('new', 'upgraded')
ADAPTED_OLD = Pair('adapted_new', 'old')  # queries that an adapter maps into the old space
DEFAULT_PAIRS = (OLD_OLD, Pair('new', 'old'), NEW_UPGRADED, Pair('upgraded', 'upgraded'), NEW_NEW)
