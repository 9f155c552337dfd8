"""Tables of scores as Markdown, and any table as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO


def percent(fraction: float) -> str:
    """Format a fraction as percent with two digits; ``-`` for NaN, a score that could not be measured."""
    return '-' if math.isnan(fraction) else f'{100 * fraction:.2f}'


def markdown_table(rows: list[list[str]]) -> str:
    """Format rows of equal length, the header first, as a Markdown table that is aligned in a terminal too."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        ' | '.join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    rule = ' | '.join('-' * width if i == 0 else '-' * (width - 1) + ':' for i, width in enumerate(widths))
    return '\n'.join(f'| {line} |' for line in (lines[0], rule, *lines[1:]))


def csv_table(rows: Iterable[Sequence[object]]) -> bytes:
    """Encode rows, the header first, as a CSV file; names of files keep their bytes, even those that are no text."""
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(rows)
    return text.getvalue().encode(errors='surrogateescape')


def open_csv(path: str | Path) -> TextIO:
    """Open a CSV file as :func:`csv_table` writes it, or as a spreadsheet does, with a byte order mark."""
    return Path(path).open(newline='', encoding='utf-8-sig', errors='surrogateescape')
