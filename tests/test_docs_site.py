"""The site of the documentation: its pages, the names of its API, and the hook that brings pages in."""

from __future__ import annotations

import importlib
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / 'docs'
PUBLIC = ('mmfct.functional', 'mmfct.retrieval', 'mmfct.models', 'mmfct.datasets', 'mmfct.evaluation', 'mmfct.engine')


@pytest.fixture
def hook() -> dict:
    return runpy.run_path(str(DOCS / 'hooks/repository.py'))


@pytest.fixture
def built(tmp_path) -> Path:
    """The site, built as tools/build_docs.sh builds it."""
    for package in ('material', 'mkdocstrings'):
        pytest.importorskip(package, reason='needs the extra docs')
    site = tmp_path / 'site'
    command = ['bash', str(ROOT / 'tools/build_docs.sh'), str(site)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | dict(MMFCT_PYTHON=sys.executable))
    assert done.returncode == 0, done.stderr
    return site


def build(root: Path, site: Path) -> subprocess.CompletedProcess:
    """Build another site, strictly."""
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--config-file', str(root / 'mkdocs.yml')]
    return subprocess.run([*command, '--site-dir', str(site)], capture_output=True, text=True, check=True, cwd=root)


def targets() -> list[str]:
    """What the page of the API describes."""
    pattern = r'^::: (\S+)\n(?!    options: {show_root_heading: false)'  # not the text of a module
    return re.findall(pattern, (DOCS / 'api.md').read_text(), re.MULTILINE)


def find(name: str) -> object:
    """The object of a dotted name."""
    module, _, attribute = name.rpartition('.')
    return getattr(importlib.import_module(module), attribute)


def test_every_page_is_in_the_navigation():
    config = yaml.safe_load((ROOT / 'mkdocs.yml').read_text())
    pages = re.findall(r'[\w/.-]+\.md', str(config['nav']))
    assert len(pages) == len(set(pages))
    files = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob('*.md')}
    assert files <= set(pages)
    for page in set(pages) - files:
        assert (ROOT / page).is_file(), page


@pytest.mark.parametrize('name', targets())
def test_the_api_describes_what_exists(name):
    assert callable(find(name)) and find(name).__doc__


@pytest.mark.parametrize('package', PUBLIC)
def test_the_api_describes_all_public_names(package):
    described = {id(find(name)) for name in targets()}
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if id(getattr(module, name)) not in described] == []


@pytest.mark.parametrize(
    ('page', 'link', 'expected'),
    [
        ('docs/guides/ray.md', '../stores.md#into', '../stores.md#into'),
        ('docs/index.md', '../configs/fct/README.md#run-it', 'configs/fct/README.md#run-it'),
        ('docs/guides/ray.md', '../../SECURITY.md', '../SECURITY.md'),
        ('SECURITY.md', 'docs/stores.md', 'stores.md'),
        ('configs/bct/README.md', '../fct/README.md', '../fct/README.md'),
        ('configs/bct/README.md', '../../docs/guides/ray.md', '../../guides/ray.md'),
        ('docs/index.md', 'https://arxiv.org/abs/2112.02805', 'https://arxiv.org/abs/2112.02805'),
        ('docs/index.md', '#here', '#here'),
    ],
)
def test_links_lead_to_the_same_file_in_the_site(hook, page, link, expected):
    code = '`[a](../b.md)`\n\n```python\nx[0](../b.md)\n```\n'
    text = f'{code} [text]({{}}), [again]({{}})'
    assert hook['relink'](text.format(link, link), ROOT / page, DOCS) == text.format(expected, expected)


def test_roles_of_sphinx_are_removed(hook):
    html = 'as :func:<code>~mmfct.functional.query_scores</code>, :attr:<code>columns</code> and <code>x</code>'
    assert hook['without_roles'](html) == 'as <code>query_scores</code>, <code>columns</code> and <code>x</code>'


def test_the_service_of_the_guide_finds_items(tmp_path, monkeypatch):
    pytest.importorskip('faiss')
    from mmfct.retrieval import Gallery, GalleryWriter
    from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
    from mmfct.retrieval.index.faiss_index import build_index
    from mmfct.retrieval.index.file import write_index

    monkeypatch.chdir(tmp_path)
    vectors = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    columns = dict(id=('<U8', None), embedding=('float32', 4))
    metadata = Provenance(ModelIdentity('new', '0' * 64), None, 'cosine').to_metadata()
    writer = GalleryWriter('gallery_upgraded', columns=columns, num_rows=20, metadata=metadata)
    writer.write_shard(0, dict(id=np.array([f'item{row}' for row in range(20)]), embedding=vectors))
    writer.finish()
    gallery = Gallery('gallery_upgraded')
    write_index(build_index(gallery, 'Flat'), 'gallery.faiss', gallery, 'Flat')
    code = re.search(r'```python\n(.*?)```', (DOCS / 'guides/serving.md').read_text(), re.DOTALL)[1]
    session: dict = {}
    exec(code, session)
    found = session['search'](3 * vectors[:2], k=30)
    assert [neighbours[0][0] for neighbours in found] == ['item0', 'item1']
    assert [len(neighbours) for neighbours in found] == [20, 20] and abs(found[0][0][1]) < 1e-6


def test_a_missing_extra_is_said(tmp_path):
    (tmp_path / 'python').write_text('#!/bin/bash\n[[ $2 != *material* ]]\n')
    (tmp_path / 'python').chmod(0o755)
    environment = dict(PATH=f'{tmp_path}:/usr/bin:/bin', MMFCT_VENV=str(tmp_path / 'none'))
    (tmp_path / 'python3').symlink_to('python')
    done = subprocess.run(
        ['bash', str(ROOT / 'tools/build_docs.sh')], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 1 and 'mkdocs-material and mkdocstrings are missing: pip install' in done.stderr


def test_the_site_is_built_without_a_warning(built):
    assert len(list(built.rglob('index.html'))) > 15
    assert (built / 'configs/fct/resnet10_digits.py').is_file() and not (built / 'hooks').exists()
    page = (built / 'api/index.html').read_text()
    assert all(f'id="{name}"' in page for name in targets())
    assert 'fonts.googleapis' not in page


def test_links_that_lead_nowhere_stop_the_build(tmp_path):
    pytest.importorskip('material', reason='needs the extra docs')
    (tmp_path / 'docs').mkdir()
    config = yaml.safe_load((ROOT / 'mkdocs.yml').read_text())
    config |= dict(nav=['index.md', 'stores.md'], plugins=[], hooks=[str(DOCS / 'hooks/repository.py')], extra_css=[])
    (tmp_path / 'mkdocs.yml').write_text(yaml.safe_dump(config))
    (tmp_path / 'docs/stores.md').write_text('# Stores\n')
    (tmp_path / 'docs/index.md').write_text('# Start\n')
    build(tmp_path, tmp_path / 'good')
    faults = ('missing.md', 'stores.md#missing', '../configs/missing.py')
    (tmp_path / 'docs/index.md').write_text('# Start\n\n' + '\n'.join(f'[a]({fault})' for fault in faults) + '\n')
    with pytest.raises(subprocess.CalledProcessError) as caught:
        build(tmp_path, tmp_path / 'bad')
    warnings = [line for line in caught.value.stderr.splitlines() if 'contains a link' in line]
    assert len(warnings) == 3
    for link in ('missing.md', 'stores.md#missing', 'configs/missing.py'):
        assert sum(f"link '{link}'" in line for line in warnings) == 1
