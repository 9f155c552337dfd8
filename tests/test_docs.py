"""The tutorials run as they stand, in the order of their pages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / 'docs'


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and content of the blocks of code of a page, in order."""
    return re.findall(r'```(python|bash)\n(.*?)```', page.read_text(), re.DOTALL)


def commands(block: str) -> list[list[str]]:
    """The words of each command of a shell."""
    return [shlex.split(line) for line in block.replace('\\\n', ' ').splitlines() if line]


@pytest.mark.slow
def test_the_tutorial_of_vector_databases(tmp_path, monkeypatch, run_tool, capsys):
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
                if program == 'python':
                    statuses.append((Path(words[0]).stem, run_tool(words[0].removeprefix('tools/'), *words[1:])))
        printed.append(capsys.readouterr().out)
    text = '\n'.join(printed)
    assert [name for name, status in statuses if status] == ['evaluate_compatibility']
    assert statuses[-1] == ('evaluate_compatibility', 1) and len(statuses) == 12
    assert '1000 rows, mean length 13.64' in text and 'more pairs would help' in text.lower()
    assert text.index('Safe to switch: yes.') < text.index('Safe to switch: NO, because of CMC-1.')
    assert 'alias live names digits_v2, before it named digits' in text and 'alias live names digits again' in text
    assert 'not clearly better' not in text
    finds = re.findall(r'a (\d) finds \[(\d)', text)
    assert len(finds) == 2 and all(label == first for label, first in finds)
    from qdrant_client import QdrantClient

    client = QdrantClient(path='work_dirs/tutorial/qdrant')
    aliases = {alias.alias_name: alias.collection_name for alias in client.get_aliases().aliases}
    assert aliases == dict(live='digits') and client.count('digits_v2').count == 1000
    client.close()
