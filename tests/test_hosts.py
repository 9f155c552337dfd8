"""The check for host packages, against made-up installations."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata, util
from importlib.machinery import ModuleSpec

import pytest

from mmfct import hosts

ONEDL = {
    'onedl-mmengine': '0.10.12',
    'onedl-mmcv': '2.3.6',
    'onedl-mmpretrain': '1.3.6',
    'onedl-mmsegmentation': '1.4.2',
}
UPSTREAM = {
    'mmengine': '0.10.7',
    'mmcv': '2.1.0',
    'mmpretrain': '1.2.0',
    'mmsegmentation': '1.2.2',
}


@pytest.fixture
def install(monkeypatch):
    """Return a function that makes exactly the given distributions look installed."""

    def install(versions, importable=tuple(hosts.HOSTS), leftover=(), folder=None):
        def version(name):
            if name not in versions:
                raise metadata.PackageNotFoundError(name)
            return versions[name]

        def find_spec(name):
            if name in leftover:
                return ModuleSpec(name, None, is_package=True)
            if name not in importable:
                return None
            spec = ModuleSpec(name, None, origin='there', is_package=folder is not None)
            if folder is not None:
                spec.submodule_search_locations = [str(folder)]
            return spec

        monkeypatch.setattr(metadata, 'version', version)
        monkeypatch.setattr(util, 'find_spec', find_spec)

    return install


@pytest.mark.parametrize('versions', [ONEDL, UPSTREAM], ids=['onedl', 'upstream'])
@pytest.mark.parametrize('names', [(), ('mmengine',), ('mmpretrain', 'mmseg')])
def test_each_family_is_accepted(install, versions, names):
    install(versions)
    hosts.require_hosts(*names)


def test_the_environment_of_the_tests_is_accepted():
    hosts.require_hosts()


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(ValueError, match=r"`names` must be among \['mmcv', .*\], got 'mmdet'"):
        hosts.require_hosts('mmdet')


def test_all_that_is_missing_is_named_once_with_the_command(install):
    install({}, importable=())
    with pytest.raises(ImportError) as error:
        hosts.require_hosts('mmengine', 'mmseg')
    assert str(error.value) == (
        'mmfct needs mmengine >= 0.10.7 (not installed), mmseg >= 1.2.0 (not installed). '
        "Install with `pip install 'mmfct[onedl]'`, in the checkout `pip install -e '.[onedl]'`"
    )


def test_a_host_that_was_not_asked_for_may_be_missing(install):
    install({'onedl-mmengine': '0.10.12'}, importable=('mmengine',))
    hosts.require_hosts('mmengine')


@pytest.mark.parametrize(
    ('versions', 'message'),
    [
        (ONEDL | {'onedl-mmcv': '2.0.1'}, r'mmcv >= 2.1.0 \(found onedl-mmcv 2.0.1\).*\[onedl\]'),
        (UPSTREAM | {'mmengine': '0.9.1'}, r'\(found mmengine 0.9.1\).*\[openmmlab\]'),
        (UPSTREAM | {'mmcv': '2.1.0rc1'}, r'mmcv >= 2.1.0 \(found mmcv 2.1.0rc1\)'),
    ],
)
def test_an_old_host_is_named_with_its_version(install, versions, message):
    install(versions)
    with pytest.raises(ImportError, match=message):
        hosts.require_hosts()


def test_versions_are_compared_as_numbers(install):
    install(UPSTREAM | {'mmengine': '0.10.10', 'mmcv': '2.10.0'})
    hosts.require_hosts()


def test_the_advice_stays_within_the_family_in_use(install):
    install({'mmengine': '0.10.7', 'mmcv': '2.1.0'}, importable=('mmengine', 'mmcv'))
    with pytest.raises(ImportError, match=r"pip install -e '.\[openmmlab\]'"):
        hosts.require_hosts('mmseg')


def test_two_families_at_once_are_refused(install):
    install(ONEDL | {'mmengine': '0.10.7'})
    message = (
        r'mmengine from onedl-mmengine 0.10.12 and mmengine 0.10.7\. Remove both with '
        r'`pip uninstall -y onedl-mmengine mmengine`'
    )
    with pytest.raises(ImportError, match=message):
        hosts.require_hosts('mmengine', 'mmcv')


@pytest.mark.parametrize('leftover', [(), ('mmcv',)], ids=['nothing left', 'empty folder left'])
def test_a_host_whose_files_are_gone_is_noticed(install, leftover):
    install(ONEDL, importable=('mmengine', 'mmpretrain', 'mmseg'), leftover=leftover)
    with pytest.raises(ImportError, match='mmcv 2.3.6 is listed, but .* uninstall -y onedl-mmcv`'):
        hosts.require_hosts()


def test_upstream_mmseg_needs_the_operators_of_mmcv(install, tmp_path):
    install(UPSTREAM, folder=tmp_path)
    hosts.require_hosts('mmengine', 'mmcv', 'mmpretrain')
    with pytest.raises(ImportError, match=r'compiled operators of mmcv.*--no-build-isolation .*mmcv==2\.1\.0`'):
        hosts.require_hosts()
    (tmp_path / '_ext.cpython-311-x86_64-linux-gnu.so').touch()
    hosts.require_hosts()


def test_the_onedl_packages_need_no_operators(install, tmp_path):
    install(ONEDL, folder=tmp_path)
    hosts.require_hosts()


def test_a_source_tree_without_metadata_is_accepted(install):
    install({})
    hosts.require_hosts()


def test_the_check_imports_no_host():
    code = (
        'import sys; from mmfct.hosts import require_hosts; require_hosts(); '
        "print({'torch', 'mmengine', 'mmcv', 'mmpretrain', 'mmseg'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'set()'


def test_a_remark_of_the_hosts_is_left_out_and_nothing_else(tmp_path, monkeypatch, capsys):
    (tmp_path / 'chatty').mkdir()
    (tmp_path / 'chatty/__init__.py').touch()
    (tmp_path / 'chatty/datasets.py').write_text("print('Could not import OneDL')\nprint('careful')\n")
    monkeypatch.syspath_prepend(tmp_path)
    hosts.import_quietly('chatty')
    assert capsys.readouterr().out == 'careful\n'
    assert 'chatty.datasets' in sys.modules


@pytest.mark.parametrize(
    ('scope', 'required', 'imported'),
    [('mmseg', ['mmseg'], ['mmseg']), ('mmengine', ['mmengine'], []), ('mine', [], []), (None, [], [])],
)
def test_the_host_of_a_scope_is_imported(monkeypatch, scope, required, imported):
    calls: dict[str, list[str]] = dict(require_hosts=[], import_quietly=[])
    for name, called in calls.items():
        monkeypatch.setattr(hosts, name, called.append)
    hosts.import_host(scope)
    assert calls == dict(require_hosts=required, import_quietly=imported)


def test_a_default_installation_imports_without_warnings():
    program = (
        "from mmfct.hosts import import_host, require_hosts; require_hosts('mmengine', 'mmcv', 'mmpretrain'); "
        "import_host('mmpretrain'); import mmpretrain.models, mmcv, numpy; "
        "mmcv.adjust_color(numpy.zeros((2, 2, 3), 'uint8'), 0.5, backend='pillow')"
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ('', '')
