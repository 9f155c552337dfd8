"""Options of a config on the command line."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from mmengine import config


class DictAction(config.DictAction):
    """mmengine's, but a value with blanks that is no list stays as it is, such as the name of a folder.

    mmengine takes ``'data_root=/data/my images'`` for ``/data/myimages``.
    """

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add ``KEY=VALUE`` words to the options of the namespace."""
        for word in values or ():
            if '=' not in word:
                parser.error(f'{option_string} takes KEY=VALUE, after the other arguments, got {word!r}')
        super().__call__(parser, namespace, values, option_string)
        for word in values or ():
            key, _, value = word.partition('=')
            if ' ' in value.strip() and not set(value) & set(',()[]'):
                getattr(namespace, self.dest)[key] = value
