"""Check that the host packages are installed before an import fails with a less helpful error.

This module imports neither torch nor a host, so a tool can call it first.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from importlib import metadata, util
from pathlib import Path

# Import name: onedl distribution, upstream distribution, oldest version that works.
HOSTS = {
    'mmengine': ('onedl-mmengine', 'mmengine', '0.10.7'),
    'mmcv': ('onedl-mmcv', 'mmcv', '2.1.0'),
    'mmpretrain': ('onedl-mmpretrain', 'mmpretrain', '1.2.0'),
    'mmseg': ('onedl-mmsegmentation', 'mmsegmentation', '1.2.0'),
}


def require_hosts(*names: str) -> None:
    """Raise an error unless the named hosts are installed, new enough, and each from one family only.

    The onedl and the upstream OpenMMLab distributions install the same import packages. The one installed last
    overwrites files of the other, which causes obscure errors much later.

    Two warnings of mmcv are silenced: that its lite edition, which the extra ``onedl`` installs, lacks an operator of
    detectors, which nothing here uses, and what it says whenever ``ColorJitter`` changes the saturation with Pillow.

    Args:
        *names: Import names of the hosts, of :data:`HOSTS`; none means all of them.

    Raises:
        ValueError: A name is not that of a host.
        ImportError: A host is missing, broken, too old or installed twice, or lacks compiled operators that another
            one imports; the message names each one and the repair.
    """
    for name in names:
        if name not in HOSTS:
            raise ValueError(f'`names` must be among {sorted(HOSTS)}, got {name!r}')
    names = names or tuple(HOSTS)

    doubled = [name for name in names if len(_installed(name)) > 1]
    if doubled:
        raise ImportError(_doubled_message(doubled))
    problems = [problem for name in names if (problem := _problem(name))]
    if problems:
        raise ImportError(f'mmfct needs {", ".join(problems)}. {_install_hint()}')
    warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeformableAttention``')
    warnings.filterwarnings('ignore', "Only use 'alpha' for pillow backend")
    # Upstream mmseg imports them; upstream mmpretrain and the onedl packages do without.
    if 'mmseg' in names and HOSTS['mmseg'][1] in _installed('mmseg') and _lacks_operators():
        raise ImportError(
            'mmsegmentation needs the compiled operators of mmcv, which was built without them: torch was missing '
            "then. Build it again with `pip install 'setuptools<81' wheel ninja` and `pip install "
            '--no-build-isolation --no-cache-dir --no-deps --force-reinstall mmcv==2.1.0`, or use the onedl packages'
        )


def import_host(scope: str | None) -> None:
    """Import the host whose components a config uses, if it is one of :data:`HOSTS`.

    Args:
        scope: Default scope of the config.

    Raises:
        ImportError: If this host is missing; see `require_hosts`.
    """
    if scope in HOSTS:
        require_hosts(scope)
    if scope in ('mmpretrain', 'mmseg'):
        import_quietly(scope)


def import_quietly(name: str) -> None:
    """Import the data sets of a host, without its remark that a package of OneDL, which few people have, is missing.

    Args:
        name: Import name of the host.
    """
    with contextlib.redirect_stdout(io.StringIO()) as output:
        importlib.import_module(f'{name}.datasets')
    for line in output.getvalue().splitlines():
        if line != 'Could not import OneDL':
            print(line)


def _installed(name: str) -> dict[str, str]:
    """Versions of the installed distributions that provide the import package ``name``."""
    versions = {}
    for distribution in HOSTS[name][:2]:
        try:
            versions[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _problem(name: str) -> str:
    """Describe what is wrong with the host ``name``; empty if nothing is."""
    from packaging.version import Version

    minimum = HOSTS[name][2]
    spec = util.find_spec(name)
    # An uninstall may leave a folder without `__init__.py`.
    importable = spec is not None and spec.origin is not None
    installed = _installed(name)
    if not installed:
        # A source tree on the path has no metadata, hence no version to check.
        return '' if importable else f'{name} >= {minimum} (not installed)'
    ((distribution, version),) = installed.items()
    if Version(version) < Version(minimum):
        return f'{name} >= {minimum} (found {distribution} {version})'
    if not importable:
        repair = f'first `pip uninstall -y {distribution}`'
        lost = f'{distribution} {version} is listed, but its files are gone: {repair}'
        return f'{name} >= {minimum} ({lost})'
    return ''


def _lacks_operators() -> bool:
    """Whether mmcv's folder holds no compiled operators; importing them would import torch."""
    spec = util.find_spec('mmcv')
    folders = (spec.submodule_search_locations if spec else None) or []
    return bool(folders) and not any(True for folder in folders for _ in Path(folder).glob('_ext.*'))


def _family() -> str:
    """Return the extra to recommend: that of the family in use, or onedl if there is none."""
    upstream = any(host[1] in _installed(name) for name, host in HOSTS.items())
    onedl = any(host[0] in _installed(name) for name, host in HOSTS.items())
    return 'openmmlab' if upstream and not onedl else 'onedl'


def _install_hint() -> str:
    extra = _family()
    return f"Install with `pip install 'mmfct[{extra}]'`, in the checkout `pip install -e '.[{extra}]'`"


def _doubled_message(names: list[str]) -> str:
    found = []
    for name in names:
        versions = ' and '.join(' '.join(item) for item in _installed(name).items())
        found.append(f'{name} from {versions}')
    both = ' '.join(distribution for name in names for distribution in HOSTS[name][:2])
    return (
        f'Two families of host packages are installed over one another: {", ".join(found)}. '
        f'Remove both with `pip uninstall -y {both}`, then install one with '
        "`pip install 'mmfct[onedl]'`, in the checkout `pip install -e '.[onedl]'`"
    )
