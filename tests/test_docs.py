"""The tutorials run as they stand, in the order of their pages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mmfct.cli import main

DOCS = Path(__file__).parents[1] / 'docs'


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and content of the blocks of code of a page, in order."""
    return re.findall(r'```(python|bash)\n(.*?)```', page.read_text(), re.DOTALL)


def commands(block: str) -> list[list[str]]:
    """The words of each command of a shell."""
    return [shlex.split(line) for line in block.replace('\\\n', ' ').splitlines() if line]


def check_numbers(page: str, printed: str) -> None:
    """Compare what the page quotes with what was printed; other versions of numpy may round otherwise."""
    report = printed[: printed.index('Report:')]  # of the first transformation
    rows = re.findall(r'^\| ([^|]+?) +\|((?: +[\d.]+ \|){4})$', page, re.MULTILINE)
    assert len(rows) == 6
    for name, values in rows:
        label = name.strip('*').removesuffix(' (one fold)')
        line = re.search(rf'^\| \**{re.escape(label)}(?:\**| .*?) +\|(.*)\|$', report, re.MULTILINE)[1].split('|')
        found = [float(line[place]) for place in (0, 1, 5, 6)]
        assert [float(value) for value in values.strip(' |').split('|')] == pytest.approx(found, abs=2), name
    adapted = re.search(r'adapter is ([\d.]+) %', page), re.search(r'^\| adapted new/old +\| +([\d.]+)', printed, re.M)
    assert float(adapted[0][1]) == pytest.approx(float(adapted[1][1]), abs=1)
    quoted = re.findall(r'from ([\d.]+) to ([\d.]+) %', ' '.join(page.split()))
    measured = re.findall(r'^\| (?:CMC-1|mAP) +\| +([\d.]+) \| +([\d.]+) \|', printed, re.MULTILINE)
    assert len(quoted) == 3
    for pair, other in zip(quoted, measured, strict=False):
        assert [float(value) for value in pair] == pytest.approx([float(value) for value in other], abs=0.5)


@pytest.mark.slow
def test_the_tutorial_of_vector_databases(tmp_path, monkeypatch, capsys):
    for package in ('lancedb', 'qdrant_client'):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}
    statuses, printed = [], []
    for language, content in blocks(DOCS / 'vector_database.md'):
        if language == 'python':
            exec(compile(content, 'vector_database.md', 'exec'), session)
        else:
            for program, *words in commands(content):
                if program == 'mmfct':
                    statuses.append((words[0], main(words)))
        printed.append(capsys.readouterr().out)
    text = '\n'.join(printed)
    assert [name for name, status in statuses if status] == ['evaluate']
    assert statuses[-1] == ('evaluate', 1) and len(statuses) == 14
    assert '1000 rows, mean length 13.64' in text and 'more pairs would help' in text.lower()
    assert text.index('Safe to switch: yes.') < text.index('Safe to switch: NO, because of CMC-1.')
    assert 'alias live names digits_v2, before it named digits' in text and 'alias live names digits again' in text
    assert 'not clearly better' not in text
    finds = re.findall(r'a (\d) finds \[(\d)', text)
    assert len(finds) == 2 and all(label == first for label, first in finds)
    check_numbers((DOCS / 'vector_database.md').read_text(), text)
    from qdrant_client import QdrantClient

    client = QdrantClient(path='work_dirs/tutorial/qdrant')
    aliases = {alias.alias_name: alias.collection_name for alias in client.get_aliases().aliases}
    assert aliases == dict(live='digits') and client.count('digits_v2').count == 1000
    client.close()
