"""Rules about who imports whom, each with a proof that the check can fail."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'mmfct'
MODULES = sorted(PACKAGE.rglob('*.py'))
TOOLS = sorted((ROOT / 'tools').rglob('*.py'))

# A part may import itself and the parts on lines above; those on one line know not one another.
ORDER = (
    {'utils'},
    {'registry', 'hosts', 'configs', 'functional'},
    {'retrieval', 'instances'},
    {'datasets', 'evaluation'},
    {'models', 'engine'},
    {'apis'},
    {'cli'},
)
LEAVES = {'registry', 'hosts', 'configs'}
RANK = {part: rank for rank, parts in enumerate(ORDER) for part in parts}

# What a module of mmfct may import at its top; everything else inside the function that needs it.
EAGER = {'torch', 'numpy', 'mmengine'}
# Modules that are imported inside a function themselves, and what they may import.
LATE_MODULES = {'functional/_screening_kernels.py': {'numba'}}

# Where the name to import is not that to install.
DISTRIBUTIONS = {
    'PIL': {'pillow'},
    'cv2': {'opencv-python'},
    'faiss': {'faiss-cpu'},
    'mmcv': {'mmcv', 'onedl-mmcv'},
    'mmengine': {'mmengine', 'onedl-mmengine'},
    'mmpretrain': {'mmpretrain', 'onedl-mmpretrain'},
    'mmseg': {'mmsegmentation', 'onedl-mmsegmentation'},
    'pytorch_metric_learning': {'pytorch-metric-learning'},
    'sklearn': {'scikit-learn'},
    'yaml': {'pyyaml'},
}


def imported(nodes: Iterator[ast.AST], path: Path, root: Path) -> Iterator[str]:
    """Absolute dotted names that the import statements among ``nodes`` of a file refer to."""
    package = path.relative_to(root).parent.parts
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = '.'.join([*base, *([node.module] if node.module else [])])
            yield from (f'{module}.{alias.name}' for alias in node.names)


def imports(path: Path, root: Path = ROOT) -> set[str]:
    """Everything the file imports anywhere, functions included."""
    return set(imported(ast.walk(ast.parse(path.read_text())), path, root))


def eager_imports(path: Path, root: Path = ROOT) -> set[str]:
    """What the file imports at the moment it is imported itself."""

    def walk(node: ast.AST) -> Iterator[ast.AST]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(child, ast.If) and 'TYPE_CHECKING' in ast.unparse(child.test):
                continue
            yield child
            yield from walk(child)

    return set(imported(walk(ast.parse(path.read_text())), path, root))


def third_party(names: set[str]) -> set[str]:
    """Top-level names that are neither ours nor the standard library's."""
    top = {name.partition('.')[0] for name in names}
    return top - set(sys.stdlib_module_names) - {'mmfct', 'tools', 'renderers', '__future__'}


def order_violations(path: Path, root: Path = ROOT) -> list[str]:
    """Imports of ``path`` that go against :data:`ORDER`."""
    parts = path.relative_to(root).with_suffix('').parts
    me = parts[1]
    if me == '__init__':
        return [f'mmfct imports {name}' for name in imports(path, root)]
    if me not in RANK:
        return [f'{me} has no place in the order']
    found = []
    for name in sorted(imports(path, root)):
        top, _, rest = name.partition('.')
        other = rest.partition('.')[0]
        if top in {'tools', 'renderers', 'tests', 'configs'}:
            found.append(f'{".".join(parts)} imports {name}')
        # The package itself and its `__version__` are no part.
        if top != 'mmfct' or not other or other.startswith('__'):
            continue
        if other != me and (me in LEAVES or other not in RANK or RANK[other] >= RANK[me]):
            found.append(f'{".".join(parts)} imports {name}')
    return found


def heavy_modules_after(statement: str, path: str = '') -> set[str]:
    """Modules of torch and the mm packages that a new process has after ``statement``."""
    code = f'{statement}; import sys; print(*sys.modules)'
    environment = os.environ | {'PYTHONPATH': path}
    command = [sys.executable, '-c', code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    heavy = re.compile(r'(torch|torchvision|numpy|mmengine|mmcv|mmpretrain|mmseg|mmdet)(\.|$)')
    return {name for name in done.stdout.split() if heavy.match(name)}


def declared() -> set[str]:
    """Distributions in pyproject.toml: what it requires, and its extras."""
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    wanted = [*project['dependencies']]
    for extra in project['optional-dependencies'].values():
        wanted += extra
    return {re.match(r'[\w.-]+', requirement)[0].lower() for requirement in wanted}


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    assert order_violations(path) == []


@pytest.mark.parametrize(
    ('file', 'code', 'violation'),
    [
        (
            'retrieval/a.py',
            'from mmfct.models import X',
            'mmfct.retrieval.a imports mmfct.models.X',
        ),
        ('retrieval/a.py', 'from ..models import X', 'mmfct.retrieval.a imports mmfct.models.X'),
        (
            'retrieval/__init__.py',
            'from .. import apis',
            'mmfct.retrieval.__init__ imports mmfct.apis',
        ),
        (
            'models/heads/a.py',
            'def f():\n import mmfct.engine',
            'mmfct.models.heads.a imports mmfct.engine',
        ),
        (
            'functional/a.py',
            'from mmfct.registry import X',
            'mmfct.functional.a imports mmfct.registry.X',
        ),
        ('utils/a.py', 'import mmfct.functional', 'mmfct.utils.a imports mmfct.functional'),
        ('hosts.py', 'from .functional import x', 'mmfct.hosts imports mmfct.functional.x'),
        ('registry.py', 'import mmfct.hosts', 'mmfct.registry imports mmfct.hosts'),
        ('apis/a.py', 'import tools.train', 'mmfct.apis.a imports tools.train'),
        ('apis/a.py', 'import mmfct.cli', 'mmfct.apis.a imports mmfct.cli'),
        ('configs.py', 'import mmfct.hosts', 'mmfct.configs imports mmfct.hosts'),
        ('helpers/a.py', '', 'helpers has no place in the order'),
        ('__init__.py', 'import torch', 'mmfct imports torch'),
    ],
)
def test_an_import_the_wrong_way_is_noticed(tmp_path, file, code, violation):
    path = tmp_path / 'mmfct' / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert order_violations(path, tmp_path) == [violation]


@pytest.mark.parametrize(
    ('file', 'code'),
    [
        (
            'models/a.py',
            'from mmfct.functional import x\nfrom .b import y\nfrom ..registry import MODELS',
        ),
        ('functional/a.py', 'from mmfct.utils.distances import check_distance'),
        ('apis/a.py', 'from mmfct import __version__\nfrom mmfct.engine.hooks import X'),
    ],
)
def test_an_import_the_right_way_is_let_through(tmp_path, file, code):
    path = tmp_path / 'mmfct' / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert order_violations(path, tmp_path) == []


def test_import_mmfct_is_light():
    assert heavy_modules_after('import mmfct') == set()


@pytest.mark.parametrize('path', sorted((PACKAGE / 'cli').glob('*.py')), ids=lambda path: path.stem)
def test_the_help_of_a_command_is_light(path):
    assert heavy_modules_after(f'import mmfct.cli.{path.stem} as m; getattr(m, "make_parser", str)()') == set()


def test_a_heavy_import_is_noticed(tmp_path):
    (tmp_path / 'torch.py').touch()
    (tmp_path / 'heavy.py').write_text('import torch')
    assert heavy_modules_after('import heavy', str(tmp_path)) == {'torch'}


def test_the_registry_imports_only_mmengine_registry():
    # mmengine swallows any other ImportError of this module, and reports our classes as unknown.
    names = imports(PACKAGE / 'registry.py')
    assert {name.rpartition('.')[0] for name in names} == {'mmengine.registry'}


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_hosts_and_optional_packages_are_imported_late(path):
    allowed = EAGER | LATE_MODULES.get(str(path.relative_to(PACKAGE)), set())
    assert third_party(eager_imports(path)) <= allowed


@pytest.mark.parametrize('file', LATE_MODULES)
def test_late_modules_are_not_imported_with_the_package_around_them(file):
    name = 'mmfct.' + file.removesuffix('.py').replace('/', '.')
    code = f'import {name.rpartition(".")[0]}, sys; sys.exit({name!r} in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    ('code', 'names'),
    [
        ('import faiss', {'faiss'}),
        ('from mmpretrain.models import ResNet', {'mmpretrain'}),
        ('try:\n import numba\nexcept ImportError:\n numba = None', {'numba'}),
        ('class A:\n import sklearn.metrics', {'sklearn'}),
        ('def f():\n import matplotlib', set()),
        ('from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import mmseg', set()),
    ],
)
def test_an_eager_import_is_noticed(tmp_path, code, names):
    path = tmp_path / 'a.py'
    path.write_text(code)
    assert third_party(eager_imports(path, tmp_path)) == names


def undeclared(path: Path, root: Path = ROOT) -> set[str]:
    """Third-party imports of ``path`` that no distribution in pyproject.toml provides."""
    siblings = {other.stem for other in path.parent.glob('*.py')}
    return {
        name
        for name in third_party(imports(path, root)) - siblings
        if not DISTRIBUTIONS.get(name, {name.lower().replace('_', '-')}) & declared()
    }


@pytest.mark.parametrize('path', MODULES + TOOLS, ids=lambda path: str(path.relative_to(ROOT)))
def test_third_party_imports_are_declared(path):
    assert undeclared(path) == set()


def test_an_undeclared_import_is_noticed(tmp_path):
    (tmp_path / 'beside.py').touch()
    path = tmp_path / 'a.py'
    path.write_text('import torch, sklearn, beside, json\ndef f():\n import fastapi.routing')
    assert undeclared(path, tmp_path) == {'fastapi'}


def test_every_folder_with_code_is_packaged():
    # An editable install takes the whole tree, so only a wheel would miss a folder without `__init__.py`.
    setuptools = pytest.importorskip('setuptools')
    folders = {'.'.join(path.parent.relative_to(ROOT).parts) for path in MODULES}
    assert set(setuptools.find_packages(str(ROOT), include=['mmfct', 'mmfct.*'])) == folders
