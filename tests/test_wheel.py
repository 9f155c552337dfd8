"""The wheel: built, installed into a fresh environment, and run in an empty folder."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mmfct import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
TINY = ['epochs=2', 'side_epochs=2', 'transform_epochs=2', 'warmup_epochs=1', 'num_views=1', 'image_size=8']
PIP = [sys.executable, '-m', 'pip', '--disable-pip-version-check']

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def source(tmp_path_factory) -> Path:
    """A copy of what a wheel is built from, so that no build folder is left in the checkout."""
    folder = tmp_path_factory.mktemp('source')
    leave_out = shutil.ignore_patterns('__pycache__')
    for name in ('mmfct', 'configs', 'tools'):
        shutil.copytree(ROOT / name, folder / name, ignore=leave_out)
    for name in ('pyproject.toml', 'setup.py', 'MANIFEST.in', 'README.md', 'LICENSE', 'model-index.yml'):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory) -> Path:
    """The wheel, made where an earlier build has left a file that is gone by now."""
    pytest.importorskip('setuptools', minversion='77')
    folder = tmp_path_factory.mktemp('wheel')
    stale = source / 'build/lib/mmfct/.mim/configs/stale.py'
    stale.parent.mkdir(parents=True)
    stale.touch()
    command = [*PIP, 'wheel', '--no-deps', '--no-index', '--no-build-isolation', '-w', str(folder / 'dist')]
    checked([*command, str(source)], folder)
    (path,) = (folder / 'dist').iterdir()
    assert path.name == f'mmfct-{__version__}-py3-none-any.whl'
    return path


def checked(command: list[str], folder: Path, **options) -> str:
    """Run a program and return what it prints."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_what_is_in_it(source, wheel):
    with zipfile.ZipFile(wheel) as file:
        names = {name for name in file.namelist() if not name.endswith('/')}
    package = {str(path.relative_to(source)) for path in (source / 'mmfct').rglob('*.py')}
    files = [*(source / 'tools').glob('*.py'), *(source / 'tools/renderers').rglob('*.py')]
    tools = {f'mmfct/.mim/{path.relative_to(source)}' for path in files}
    configs = {f'mmfct/.mim/{path.relative_to(source)}' for path in (source / 'configs').rglob('*.py')}
    assert len(configs) > 20 and package | configs | tools <= names
    mim = {name.removeprefix('mmfct/.mim/') for name in names if name.startswith('mmfct/.mim/')}
    assert {'model-index.yml', 'configs/fct/metafile.yml', 'tools/dist_train.sh'} <= mim
    assert not {name for name in mim if re.search(r'stale|__pycache__|experiments|benchmarks|run_tests', name)}
    information = f'mmfct-{__version__}.dist-info/'
    assert {'mmfct/py.typed', information + 'licenses/LICENSE', information + 'entry_points.txt'} <= names
    assert all(name.startswith(('mmfct/', information)) for name in names)


def test_what_it_says(wheel):
    with zipfile.ZipFile(wheel) as file:
        metadata = message_from_bytes(file.read(f'mmfct-{__version__}.dist-info/METADATA'))
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    assert metadata['License-Expression'] == 'Apache-2.0' and metadata['Summary'] == project['description']
    assert metadata.get_payload(decode=True).decode().strip() == (ROOT / 'README.md').read_text().strip()
    assert set(metadata.get_all('Provides-Extra')) == set(project['optional-dependencies'])
    required = {Requirement(line) for line in metadata.get_all('Requires-Dist')}
    plain = {str(line) for line in required if line.marker is None}
    assert plain == {str(Requirement(line)) for line in project['dependencies']}


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory) -> Path:
    """A fresh environment with the wheel; all other packages are those of the environment that runs the tests."""
    folder = tmp_path_factory.mktemp('environment')
    checked([sys.executable, '-m', 'venv', '--without-pip', str(folder)], folder)
    python = folder / 'bin/python'
    (site,) = folder.glob('lib/python*/site-packages')
    # Its own .pth files do not count there, so that mmfct is found in the fresh environment or nowhere.
    (site / 'others.pth').write_text('\n'.join({sysconfig.get_path(name) for name in ('purelib', 'platlib')}))
    checked([*PIP, '--python', str(python), 'install', '--no-deps', '--no-index', str(wheel)], folder)
    return folder


@pytest.fixture
def outside(plain_config_environment) -> dict[str, str]:
    """Environment of a user whose PYTHONPATH does not lead to the checkout."""
    ranks = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE')  # which other tests may have left
    environment = {name: value for name, value in plain_config_environment.items() if name not in ranks}
    assert str(ROOT) not in environment['PYTHONPATH']
    return environment


def test_the_command_trains_a_config_of_the_wheel_in_a_folder_without_configs(installed, outside, digits, tmp_path):
    mmfct = str(installed / 'bin/mmfct')
    for stage in ('old', 'side', 'new'):  # the same stages, trained before
        shutil.copytree(digits.root / f'resnet10_digits_{stage}', tmp_path / f'work_dirs/resnet10_digits_{stage}')
    assert checked([mmfct, '--version'], tmp_path, env=outside) == f'mmfct {__version__}\n'
    assert 'Retrieval:' in checked([mmfct, '--help'], tmp_path, env=outside)
    output = checked([mmfct, 'train', 'fct/resnet10_digits.py', '--cfg-options', *TINY], tmp_path, env=outside)
    (config,) = installed.glob('lib/python*/site-packages/mmfct/.mim/configs/fct/resnet10_digits.py')
    assert f'fct/resnet10_digits.py is no file here: using {config}\n' in output
    work = tmp_path / 'work_dirs/resnet10_digits'
    assert (work / 'final.pth').is_file() and (work / 'compatibility.json').is_file()


def test_tools_of_the_wheel_run(installed, outside, tmp_path):
    (mim,) = installed.glob('lib/python*/site-packages/mmfct/.mim')
    python = str(installed / 'bin/python')
    help_text = checked([python, str(mim / 'tools/upgrade_gallery.py'), '--help'], tmp_path, env=outside)
    assert 'python tools/upgrade_gallery.py gallery_old' in help_text
    checked(
        [python, str(mim / 'tools/render_street_scenes.py'), 'scenes', '--num', '1', '--num-val', '1'],
        tmp_path,
        env=outside,
    )
    assert len(list((tmp_path / 'scenes').rglob('*_leftImg8bit.png'))) == 2
