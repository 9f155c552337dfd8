"""Ids and labels of a store, surveyed in one pass: how long and unique ids are, and which labels there are."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mmfct.retrieval.gallery.texts import MAX_FIXED, TEXT

# Label of an item whose class is not known.
NO_LABEL = -1
_INT64 = np.iinfo(np.int64)


class Keys(NamedTuple):
    """Ids of some rows, texts or integers, and their labels, texts, numbers or ``None``, if there are labels."""

    ids: Sequence[Any]
    labels: Sequence[Any] | None


@dataclass
class LabelNumbers:
    """Numbers of labels: integers stay, texts are numbered in sorted order.

    Args:
        parse: Whether texts are numbers if all of them are, as in text files.
    """

    parse: bool = False
    names: dict[str, int] = field(default_factory=dict)
    unlabelled: int = 0
    _texts: set[str] = field(default_factory=set)
    _numbers: bool = False
    _parsed_unlabelled: int = 0

    def add(self, values: Sequence[Any], where: object) -> None:
        """Take note of labels.

        Raises:
            ValueError: If one is neither text nor integer, or there are both.
        """
        odd = next((value for value in values if not isinstance(value, (str, int, float, type(None)))), None)
        if odd is not None:
            raise ValueError(f'labels of {where} must be texts or 64-bit integers, got {odd!r}')
        for value in set(values):
            if isinstance(value, str):
                if value:
                    self._texts.add(value)
            elif not _is_missing(value):
                _check_number(value, where)
                self._numbers = True
        if self._texts and self._numbers:
            text = min(self._texts)
            raise ValueError(f'labels of {where} must be all texts or all integers, got numbers and {text!r}')
        self.unlabelled += sum(value == '' or _is_missing(value) or value == NO_LABEL for value in values)
        self._parsed_unlabelled += list(values).count(str(NO_LABEL)) if self.parse else 0

    def finish(self) -> None:
        """Number the texts, once all labels are added."""
        numeric = self.parse and all(_is_integer(text) for text in self._texts)
        self.names = {} if numeric else {text: number for number, text in enumerate(sorted(self._texts))}
        self.unlabelled += self._parsed_unlabelled if numeric else 0

    def rows(self, values: Sequence[Any], where: object) -> np.ndarray:
        """Return labels as int64 of shape (N,), -1 where there is none.

        Raises:
            ValueError: If one was not there before.
        """
        try:
            return np.array([self._number(value) for value in values], np.int64)
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise ValueError(f'labels of {where} have changed since it was opened: {error!r}; start again') from error

    def _number(self, value: Any) -> int:
        if isinstance(value, str):
            return NO_LABEL if not value else self.names[value] if self.names else int(value)
        return NO_LABEL if _is_missing(value) else int(value)


@dataclass(frozen=True)
class Survey:
    """What one pass over ids and labels found.

    Args:
        rows: Number of rows.
        id_dtype: Dtype of the column of ids in a gallery.
        labels: Numbers of the labels; ``None`` if there are none.
    """

    rows: int
    id_dtype: str
    labels: LabelNumbers | None


def survey_keys(batches: Callable[[], Iterator[Keys]], where: object, *, parse_labels: bool = False) -> Survey:
    """Read all ids and labels once; memory holds eight bytes an id, and each label once.

    Args:
        batches: Reads them from the beginning.
        where: What messages call the store.
        parse_labels: See `LabelNumbers`.

    Raises:
        ValueError: If there is no row, an id is missing, empty or not unique, or labels cannot be numbered.
    """
    hashes, longest, labels = array('q'), 0, None
    for keys in batches():
        ids = id_texts(keys.ids, where)
        longest = max(longest, max(map(len, ids), default=0))
        hashes.extend(map(hash, ids))
        if keys.labels is not None:
            labels = labels or LabelNumbers(parse=parse_labels)
            labels.add(keys.labels, where)
    if not hashes:
        raise ValueError(f'{where} must have a row, got none')
    _refuse_repeated(np.frombuffer(hashes, np.int64), batches, where)
    if labels is not None:
        labels.finish()
    return Survey(len(hashes), f'<U{longest}' if longest <= MAX_FIXED else TEXT, labels)


def id_texts(ids: Sequence[Any], where: object) -> list[str]:
    """Return ids as texts.

    Raises:
        ValueError: If one is missing or empty, or neither text nor integer.
    """
    kinds = set(map(type, ids))
    if kinds == {str} and '' not in ids:  # of millions of ids, usually
        return list(ids)
    for number, value in enumerate(ids):
        if not isinstance(value, (str, int)) or value == '':
            what = 'an empty one' if value == '' else 'a missing one' if _is_missing(value) else repr(value)
            near = '' if number == 0 else f' after {ids[number - 1]!r}'
            raise ValueError(f'ids of {where} must be texts or integers, got {what}{near}')
    return [str(value) for value in ids]


def _refuse_repeated(hashes: np.ndarray, batches: Callable[[], Iterator[Keys]], where: object) -> None:
    ordered = np.sort(hashes)
    suspects = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    if not suspects:
        return
    # Different texts may have one hash.
    counts = Counter(text for keys in batches() for text in id_texts(keys.ids, where) if hash(text) in suspects)
    repeated = sorted(text for text, count in counts.items() if count > 1)
    if repeated:
        raise ValueError(
            f'ids of {where} must be unique, got {len(repeated)} that are not, such as {repeated[0]!r}, '
            f'{counts[repeated[0]]} times; name another column with `--id-column`, or remove the repeated rows'
        )


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # NaN


def _check_number(value: Any, where: object) -> None:
    if not isinstance(value, (int, float)) or value != value // 1 or not _INT64.min <= value <= _INT64.max:
        raise ValueError(f'labels of {where} must be texts or 64-bit integers, got {value!r}')


def _is_integer(text: str) -> bool:
    try:
        return str(int(text)) == text and _INT64.min <= int(text) <= _INT64.max
    except ValueError:
        return False
