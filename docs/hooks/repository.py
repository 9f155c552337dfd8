"""What the site needs beyond mkdocs: pages of the repository outside of docs/, and docstrings without roles."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

PAGES = ('CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'configs/*/README.md')
_LINK = re.compile(r'(?<=\]\()(?!https?:|#)([^)#\s]+)')
_ROLE = re.compile(r':(?:attr|class|data|func|meth|mod):<code>(~?)([^<]*)</code>')
_CODE = re.compile(r'(^```.*?^```|`[^`\n]+`)', re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, and the files that any page links to."""
    from mkdocs.structure.files import File

    docs = Path(config.docs_dir)
    outside = [path for pattern in PAGES for path in sorted(docs.parent.glob(pattern))]
    linked = [path.parent / target for path in [*outside, *docs.rglob('*.md')] for target in _links(path.read_text())]
    for path in [*outside, *linked]:
        path = Path(os.path.normpath(path))
        name = site_name(path, docs)
        if path.is_file() and not path.is_relative_to(docs) and files.get_file_from_path(name) is None:
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to where the site has the file that they lead to in the repository."""
    path = Path(page.file.abs_src_path or '')
    docs = Path(config.docs_dir)
    return relink(markdown, path, docs)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Remove what only Sphinx reads in docstrings."""
    return without_roles(html)


def without_roles(html: str) -> str:
    """Make the name alone of a name with a role, such as the class ``~package.Name``."""
    return _ROLE.sub(lambda role: f'<code>{role[2] if not role[1] else role[2].rpartition(".")[2]}</code>', html)


def relink(markdown: str, path: Path, docs: Path) -> str:
    """Rewrite the links of a page.

    Args:
        markdown: Text of the page.
        path: Its file.
        docs: The folder of the documentation, directly in that of the repository.
    """
    folder = os.path.dirname(site_name(path, docs))

    def replace(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(path.parent / link[1]))
        return Path(os.path.relpath(site_name(target, docs), folder or '.')).as_posix()

    # A split by a group leaves what it matched, here code, at odd places.
    return ''.join(part if place % 2 else _LINK.sub(replace, part) for place, part in enumerate(_CODE.split(markdown)))


def site_name(path: Path, docs: Path) -> str:
    """Where a file of the repository is in the site: files of docs/ at its top, others beside them."""
    return path.relative_to(docs if path.is_relative_to(docs) else docs.parent).as_posix()


def _links(markdown: str) -> list[str]:
    return _LINK.findall(_CODE.sub('', markdown))
