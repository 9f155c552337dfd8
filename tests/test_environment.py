"""The shell scripts, run with a pretended Python: nothing is installed, trained or launched."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
SYSTEM_TOOLS = 'basename bash cat cp date dirname find flock ls mkdir mktemp mv rm sed sleep sort tail tee touch'

# Writes down how it was called. Environments are made of copies of itself; pip, imports and tools
# are pretended and fail on demand; what the scripts work out in Python is really run.
FAKE_PYTHON = r"""#!/bin/bash
printf '%s\n' "python $*" >>"$CALLS"
case "$*" in
    *"import bz2"*) [[ -z ${FAKE_UNSUPPORTED:-} ]] && echo "$0" ;;
    *"-m venv"*)
        [[ $FAKE_FAIL == ensurepip && $* != *--without-pip* ]] && exit 1
        mkdir -p "${@: -1}/bin" && cp "$0" "${@: -1}/bin/python" && touch "${@: -1}/pyvenv.cfg"
        ;;
    *"-m pip"*)
        [[ $FAKE_FAIL == sleep ]] && sleep 60
        if [[ $FAKE_FAIL == pip && $* == *torchvision* ]]; then
            echo 'no matching distribution' && exit 7
        fi
        ;;
    *"import torch"*) [[ $FAKE_FAIL != import ]] ;;
    *"-m pytest"*) [[ $FAKE_FAIL != pytest ]] ;;
    *torch.distributed.run*) ;;
    *tools/train.py*fct*) touch work_dirs/resnet10_digits/table.csv && [[ $FAKE_FAIL != train ]] ;;
    *tools/quickstart_report.py*) [[ $FAKE_FAIL != report ]] && echo "Report: ${@: -1}" ;;
    *_gallery.py*) echo "11/26 00:00:00 - mmengine - INFO - Gallery ${@: -1}, 0.1 ms per item" ;;
    *tools/train.py* | *tools/export_transform.py*) ;;
    *tools/render_street_scenes.py* | *tools/find_corrupt_labels.py*) ;;
    *) exec "$REAL_PYTHON" "$@" ;;
esac
"""


def extras() -> str:
    """Extras that the scripts install."""
    return re.search(r'^EXTRAS=(.*)$', (ROOT / 'tools/_environment.sh').read_text(), re.MULTILINE)[1]


def pyproject() -> dict:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / 'pyproject.toml').read_text())


class Checkout:
    """A copy of the scripts in a folder of its own; the PATH holds only what is put there."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / 'a checkout'
        self.bin = folder / 'bin'
        self.calls_file = folder / 'calls'
        self.bin.mkdir()
        self.calls_file.touch()
        for name in SYSTEM_TOOLS.split():
            (self.bin / name).symlink_to(shutil.which(name))
        shutil.copytree(ROOT / 'tools', self.root / 'tools', ignore=shutil.ignore_patterns('*.py'))
        shutil.copytree(ROOT / '.ci', self.root / '.ci')
        for name in ('constraints.txt', 'setup.py', 'pyproject.toml'):
            shutil.copy(ROOT / name, self.root / name)
        self.environment = {
            'PATH': str(self.bin),
            'HOME': str(folder),
            'CALLS': str(self.calls_file),
            'REAL_PYTHON': sys.executable,
            'FAKE_FAIL': '',
        }

    @property
    def venv(self) -> Path:
        return self.root / '.venv'

    @property
    def stamp(self) -> Path:
        return self.venv / 'mmfct-stamp'

    def add_program(self, name: str, code: str = FAKE_PYTHON) -> None:
        (self.bin / name).write_text(code)
        (self.bin / name).chmod(0o755)

    def start(self, script: str, *arguments: str, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            ['bash', str(self.root / script), *arguments],
            env=self.environment | environment,
            cwd=self.root.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, script: str, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run a script and return its exit status and what it printed."""
        process = self.start(script, *arguments, **environment)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def calls(self, word: str = '') -> list[str]:
        """Calls of Python (or of another program) so far that contain ``word``."""
        return [line for line in self.calls_file.read_text().splitlines() if word in line]

    def forget_calls(self) -> None:
        self.calls_file.write_text('')


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def ready(checkout) -> Checkout:
    """A checkout with a good environment."""
    checkout.add_program('python3.11')
    assert checkout.run('tools/run_tests.sh')[0] == 0
    checkout.forget_calls()
    return checkout


# Making the environment.


def test_the_environment_is_made_in_order_and_the_tests_run(checkout):
    checkout.add_program('python3.11')
    status, output = checkout.run('tools/run_tests.sh', '-k', 'two words')
    assert status == 0, output
    torch, rest = checkout.calls('-m pip install')[1:]
    assert torch.endswith('constraints.txt torch torchvision')
    assert rest.endswith(f'a checkout[{extras()}]')
    (call,) = checkout.calls('-m pytest')
    assert call == 'python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder -k two words'
    assert checkout.stamp.read_text()
    assert '5/5 import check' in output


def test_what_is_installed_is_pinned_and_may_be_used_by_anyone():
    """smplx is for non-commercial research only, whatever should bring it along one day."""
    pins = (ROOT / 'constraints.txt').read_text()
    pinned = {canonicalize_name(name) for name in re.findall(r'^([\w.-]+)==', pins, re.MULTILINE)}
    project = pyproject()['project']
    wanted = [*project['dependencies']]
    for extra in extras().split(','):
        wanted += project['optional-dependencies'][extra]
    needed = set()
    while wanted:
        requirement = Requirement(wanted.pop())
        name = canonicalize_name(requirement.name)
        for extra in {'', *requirement.extras} - {extra for other, extra in needed if other == name}:
            needed.add((name, extra))
            wanted += requirements_of(name, extra)
    names = {name for name, _ in needed}
    of_torch = re.compile(r'nvidia-|cuda-|triton$')  # tied to its version
    assert {'torch', 'ray', 'pytorch-metric-learning', 'pytest'} <= names and 'smplx' not in names
    assert {name for name in names if not of_torch.match(name)} <= pinned


def requirements_of(name: str, extra: str) -> list[str]:
    """What an extra of an installed distribution needs, or the distribution itself; nothing where it is missing."""
    try:
        found = [Requirement(line) for line in metadata.requires(name) or ()]
    except metadata.PackageNotFoundError:
        return []
    found = [line for line in found if line.marker is None or line.marker.evaluate(dict(extra=extra))]
    return [str(line).partition(';')[0] for line in found]


def test_type_checkers_of_users_see_our_types():
    assert pyproject()['tool']['setuptools']['package-data'] == dict(mmfct=['py.typed'])
    assert (ROOT / 'mmfct/py.typed').is_file()


def test_a_good_environment_is_taken_as_it_is(ready):
    status, output = ready.run('tools/run_tests.sh')
    assert (status, output) == (0, '')
    assert not ready.calls('-m pip')


@pytest.mark.parametrize('pythons', [[], ['python3.9', 'python3']], ids=['none', 'too old'])
def test_no_supported_python_is_said(checkout, pythons):
    for name in pythons:
        checkout.add_program(name)
    status, output = checkout.run('tools/run_tests.sh', FAKE_UNSUPPORTED='1')
    assert status == 1
    assert 'no working Python 3.10, 3.11 or 3.12 found' in output
    assert 'MMFCT_PYTHON=' in output
    assert not checkout.venv.exists()


@pytest.mark.parametrize(('version', 'supported'), [('3, 9', 0), ('3, 10', 1), ('3, 12', 1), ('3, 13', 0)])
def test_the_version_decides(checkout, version, supported):
    code = f'exec "$REAL_PYTHON" -c "import sys; sys.version_info = ({version}); $2"'
    checkout.add_program('python3.11', f'#!/bin/bash\n{code}\n')
    script = checkout.root / 'find.sh'
    script.write_text('source "$(dirname "$0")/tools/_environment.sh"\nfind_python\n')
    status, output = checkout.run('find.sh')
    assert (status == 0) == bool(supported)
    # An environment stands for the Python it was made from.
    assert not supported or output.strip() == sys._base_executable


def test_a_name_on_the_path_that_does_not_run_is_passed_over(checkout):
    checkout.add_program('python3.11', '#!/bin/bash\necho "pyenv: python3.11: command not found"; exit 127')
    checkout.add_program('python3.12')
    assert checkout.run('tools/run_tests.sh')[0] == 0
    assert checkout.stamp.exists()


def test_the_python_can_be_named(checkout):
    checkout.add_program('my-python')
    assert checkout.run('tools/run_tests.sh', MMFCT_PYTHON='my-python')[0] == 0


def test_a_named_python_that_does_not_run_is_refused(checkout):
    checkout.add_program('python3.11')
    status, output = checkout.run('tools/run_tests.sh', MMFCT_PYTHON='/no/python')
    assert status == 1
    assert "`MMFCT_PYTHON` must be a complete Python 3.10, 3.11 or 3.12, got '/no/python'" in output


@pytest.mark.parametrize(
    ('failure', 'title', 'command'),
    [
        ('pip', "step '3/5 torch and torchvision' failed (exit status 7)", 'torch torchvision'),
        ('import', "step '5/5 import check' failed (exit status 1)", 'import_check'),
    ],
)
def test_a_failed_install_is_said_and_made_anew(checkout, failure, title, command):
    checkout.add_program('python3.11')
    status, output = checkout.run('tools/run_tests.sh', FAKE_FAIL=failure)
    assert status == 1
    assert title in output
    assert output.splitlines()[-1].endswith(command)
    assert not checkout.stamp.exists()
    assert not checkout.calls('-m pytest')

    (checkout.venv / 'half-a-package').touch()
    status, output = checkout.run('tools/run_tests.sh')
    assert status == 0, output
    assert 'unfinished' in output
    assert not (checkout.venv / 'half-a-package').exists()


def test_the_end_of_the_log_is_shown(checkout):
    checkout.add_program('python3.11')
    _, output = checkout.run('tools/run_tests.sh', FAKE_FAIL='pip')
    assert 'no matching distribution' in output


def test_a_killed_install_is_made_anew(checkout):
    checkout.add_program('python3.11')
    process = checkout.start('tools/run_tests.sh', FAKE_FAIL='sleep')
    wait_for(lambda: checkout.calls('-m pip'))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)
    assert checkout.venv.exists()
    assert not checkout.stamp.exists()
    assert checkout.run('tools/run_tests.sh')[0] == 0
    assert checkout.stamp.exists()


def test_two_at_once_make_it_once(checkout):
    checkout.add_program('python3.11')
    processes = [checkout.start('tools/run_tests.sh') for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert len(checkout.calls('torch torchvision')) == 1
    assert len(checkout.calls('-m pytest')) == 3


@pytest.mark.parametrize('file', ['constraints.txt', 'setup.py'])
def test_changed_requirements_make_it_anew(ready, file):
    with open(ready.root / file, 'a') as stream:
        stream.write('# changed\n')
    assert ready.run('tools/run_tests.sh')[0] == 0
    assert len(ready.calls('torch torchvision')) == 1


@pytest.mark.parametrize(
    ('line', 'made'),
    [
        ('    "torch>=2.6",\n', 1),
        ('[project.scripts]\n', 1),
        ('[tool.setuptools.package-data]\n', 0),
        ('[tool.pytest.ini_options]\n', 0),
    ],
)
def test_only_settings_of_tools_may_change_in_the_project_file(ready, line, made):
    text = (ready.root / 'pyproject.toml').read_text()
    assert text.count(line) == 1
    (ready.root / 'pyproject.toml').write_text(text.replace(line, line + '# changed\n'))
    assert ready.run('tools/run_tests.sh')[0] == 0
    assert len(ready.calls('torch torchvision')) == made


def test_a_failed_renewal_leaves_the_earlier_environment(ready):
    (ready.venv / 'mine').touch()
    with open(ready.root / 'constraints.txt', 'a') as stream:
        stream.write('# changed\n')
    status, output = ready.run('tools/run_tests.sh', FAKE_FAIL='pip')
    assert status == 1 and 'no matching distribution' in output
    assert (ready.venv / 'mine').exists() and ready.stamp.read_text()
    assert 'no matching distribution' in (ready.venv / 'mmfct-install.log').read_text()
    assert ready.run('tools/run_tests.sh')[0] == 0
    assert not (ready.venv / 'mine').exists()
    assert sorted(path.name for path in ready.root.glob('.venv*')) == ['.venv', '.venv.lock']


@pytest.mark.parametrize('spelling', ['link', 'CDPATH', 'slash'])
def test_one_environment_however_the_checkout_is_reached(ready, spelling):
    environment, script = {}, ready.root / 'tools/run_tests.sh'
    if spelling == 'link':
        (ready.root.parent / 'link').symlink_to(ready.root)
        script = ready.root.parent / 'link/tools/run_tests.sh'
    elif spelling == 'CDPATH':
        environment = dict(CDPATH=f'.:{ready.root.parent}')
        script = Path('a checkout/tools/run_tests.sh')
    else:
        environment = dict(MMFCT_VENV=f'{ready.venv}/')
    result = subprocess.run(
        ['bash', str(script)],
        env=ready.environment | environment,
        cwd=ready.root.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert not ready.calls('-m pip') and len(ready.calls('-m pytest')) == 1


def test_a_python_named_by_a_relative_path(checkout):
    checkout.add_program('mypython')
    assert checkout.run('tools/run_tests.sh', MMFCT_PYTHON='./bin/mypython')[0] == 0


def test_an_environment_whose_python_is_gone_is_made_anew(ready):
    (ready.venv / 'bin/python').write_text('#!/bin/bash\nexit 127\n')
    assert ready.run('tools/run_tests.sh')[0] == 0
    assert len(ready.calls('torch torchvision')) == 1


def test_an_empty_stamp_counts_for_nothing(ready):
    (ready.venv / 'bin/python').write_text('#!/bin/bash\nexit 127\n')
    ready.stamp.write_text('')
    assert ready.run('tools/run_tests.sh')[0] == 0
    assert len(ready.calls('torch torchvision')) == 1


def test_an_environment_made_by_hand_is_put_aside(checkout):
    checkout.add_program('python3.11')
    checkout.venv.mkdir()
    (checkout.venv / 'pyvenv.cfg').touch()
    (checkout.venv / 'mine').touch()
    status, output = checkout.run('tools/run_tests.sh')
    assert status == 0
    aside = Path(re.search(r'putting it aside as (.+)', output)[1])
    assert (aside / 'mine').exists()
    assert not (checkout.venv / 'mine').exists()


def test_a_folder_that_is_no_environment_is_left_alone(checkout, tmp_path):
    checkout.add_program('python3.11')
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos/one.jpg').touch()
    status, output = checkout.run('tools/run_tests.sh', MMFCT_VENV='photos')
    assert status == 1
    assert 'is not a virtual environment; choose another folder with `MMFCT_VENV`' in output
    assert [path.name for path in (tmp_path / 'photos').iterdir()] == ['one.jpg']


def test_the_environment_can_be_elsewhere(checkout, tmp_path):
    checkout.add_program('python3.11')
    assert checkout.run('tools/run_tests.sh', MMFCT_VENV='some/where')[0] == 0
    assert (tmp_path / 'some/where/mmfct-stamp').exists()
    assert not checkout.venv.exists()


def test_a_python_without_ensurepip_gets_pip_from_the_system(checkout):
    checkout.add_program('python3.11')
    status, output = checkout.run('tools/run_tests.sh', FAKE_FAIL='ensurepip')
    assert status == 0, output
    assert len(checkout.calls('--without-pip')) == 1
    assert len(checkout.calls('--target')) == 1


# Jobs.


def test_the_tests_decide_the_exit_status(ready):
    assert ready.run('tools/run_tests.sh', FAKE_FAIL='pytest')[0] != 0


@pytest.mark.parametrize(
    ('arguments', 'jobs'),
    [((), ['fct', 'itp']), (('fct',), ['fct']), (('itp',), ['itp']), (('itp', 'fct'), ['fct', 'itp'])],
)
def test_quickstart_runs_jobs_and_says_where_their_results_are(ready, arguments, jobs):
    status, output = ready.run('tools/quickstart.sh', *arguments)
    assert status == 0, output
    configs = dict(fct='configs/fct/resnet10_digits.py', itp='configs/itp/unet_street_scenes.py')
    trained = [call.split()[2] for call in ready.calls('train.py')]
    assert trained == [configs[job] for job in jobs]
    folders = dict(fct='work_dirs/resnet10_digits', itp='work_dirs/quickstart_itp')
    for job, folder in folders.items():
        assert (f'[{job}] results: {ready.root}/{folder}\n' in output) == (job in jobs)
    (report,) = ready.calls('quickstart_report.py')
    assert report.split()[2:] == [*folders.values(), 'work_dirs/quickstart.html']
    assert '\nReport: work_dirs/quickstart.html\n' in output
    times = ready.root / 'work_dirs/resnet10_digits/galleries/times.txt'
    assert times.is_file() == ('fct' in jobs)
    assert 'fct' not in jobs or times.read_text().count(' ms per item\n') == 2
    ends = [call.split()[-1].rpartition('/')[2] for call in ready.calls('_gallery.py')]
    assert ends == (['old', 'upgraded', 'new'] if 'fct' in jobs else [])
    assert output.count('\n    Gallery ') == (2 if 'fct' in jobs else 0)  # the time per item of both
    assert (
        len(ready.calls('render_street_scenes.py')) == len(ready.calls('find_corrupt_labels.py')) == jobs.count('itp')
    )


def test_quickstart_makes_the_environment_first(checkout):
    checkout.add_program('python3.11')
    status, output = checkout.run('tools/quickstart.sh', 'itp')
    assert status == 0, output
    assert (checkout.venv / 'mmfct-stamp').exists()
    assert len(checkout.calls('train.py')) == 1


@pytest.mark.parametrize('failure', ['train', 'report'])
def test_quickstart_fails_with_its_job(ready, failure):
    assert ready.run('tools/quickstart.sh', FAKE_FAIL=failure)[0] == 1
    assert len(ready.calls('quickstart_report.py')) == (failure == 'report')


def test_quickstart_refuses_an_unknown_job_before_it_installs(checkout):
    status, output = checkout.run('tools/quickstart.sh', 'fct', 'other')
    assert status == 2
    assert output.startswith('usage: tools/quickstart.sh [JOB ...]    jobs: fct')
    assert not checkout.venv.exists()


def test_the_configs_of_quickstart_exist():
    files = re.findall(r'\b(?:configs|tools)/\S+\.py', (ROOT / 'tools/quickstart.sh').read_text())
    assert len(files) >= 7
    assert all((ROOT / file).is_file() for file in files)


@pytest.mark.parametrize(('failure', 'status'), [('', 0), ('pytest', 1), ('train', 1)])
def test_ci_runs_both_and_fails_with_either(ready, failure, status):
    assert ready.run('.ci/run', FAKE_FAIL=failure)[0] == status
    assert len(ready.calls('-m pytest')) == 1
    assert len(ready.calls('train.py')) == (1 if failure == 'train' else 2)


# Launchers.


@pytest.mark.parametrize(
    ('script', 'arguments'),
    [
        ('tools/dist_train.sh', ['config.py']),
        ('tools/dist_test.sh', ['config.py', 'model.pth']),
        ('tools/slurm_train.sh', ['partition', 'job']),
    ],
)
def test_missing_arguments_print_the_usage(checkout, script, arguments):
    status, output = checkout.run(script, *arguments)
    assert status == 2
    assert output.startswith(f'usage: {script} ')


@pytest.mark.parametrize('gpus', ['0', 'two', '-1'])
def test_the_number_of_gpus_is_checked(checkout, gpus):
    status, output = checkout.run('tools/dist_train.sh', 'config.py', gpus)
    assert status == 2
    assert f"`GPUS` must be a positive number, got '{gpus}'" in output


def launched(checkout: Checkout) -> str:
    """The one call of torchrun, with the path of the checkout left out."""
    (call,) = checkout.calls('torch.distributed.run')
    return call.replace(f'{checkout.root}/', '')


def test_dist_train_takes_a_free_port_and_passes_the_rest_on(ready):
    arguments = ['config.py', '2', '--amp', '--cfg-options', 'a=1', "b='c d'"]
    status, output = ready.run('tools/dist_train.sh', *arguments)
    assert status == 0, output
    expected = (
        r'python -m torch\.distributed\.run --nnodes=1 --nproc-per-node=2 --rdzv-backend=c10d '
        r'--rdzv-endpoint=127\.0\.0\.1:\d{4,5} --local-addr=127\.0\.0\.1 --max-restarts=3 '
        r"tools/train\.py config\.py --amp --cfg-options a=1 b='c d' --launcher pytorch"
    )
    assert re.fullmatch(expected, launched(ready))


def test_a_dry_run_that_fails_is_not_started_again(ready):
    assert ready.run('tools/dist_train.sh', 'config.py', '2', '--dry-run', '--amp')[0] == 0
    assert '--max-restarts=0 tools/train.py config.py --dry-run --amp --launcher' in launched(ready)


def test_dist_test_passes_config_and_checkpoint(ready):
    assert ready.run('tools/dist_test.sh', 'config.py', 'm.pth', '4', PORT='1234')[0] == 0
    call = launched(ready)
    assert '--nproc-per-node=4' in call
    assert '--rdzv-endpoint=127.0.0.1:1234' in call and '--max-restarts=0' in call
    assert call.endswith('tools/test.py config.py m.pth --launcher pytorch')


def test_several_machines_are_taken_from_the_environment(ready):
    nodes = {'NNODES': '3', 'NODE_RANK': '2', 'MASTER_ADDR': '10.0.0.1'}
    assert ready.run('tools/dist_train.sh', 'config.py', '8', **nodes)[0] == 0
    expected = '--nnodes=3 --nproc-per-node=8 --node-rank=2 --master-addr=10.0.0.1 --master-port=29500 '
    assert expected in launched(ready)


def test_without_an_environment_the_active_python_is_used(checkout):
    checkout.add_program('python')
    assert checkout.run('tools/dist_train.sh', 'config.py', '1')[0] == 0
    assert launched(checkout)


def test_a_half_made_environment_is_not_used(checkout):
    checkout.add_program('python3.11')
    assert checkout.run('tools/run_tests.sh', FAKE_FAIL='pip')[0] == 1
    (checkout.bin / 'python3.11').unlink()
    checkout.forget_calls()
    checkout.add_program('python3', FAKE_PYTHON.replace('python $*', 'active $*'))
    assert checkout.run('tools/dist_train.sh', 'config.py', '1')[0] == 0
    assert checkout.calls('active -m torch.distributed.run')


def test_no_python_at_all_is_said(checkout):
    status, output = checkout.run('tools/dist_train.sh', 'config.py', '1')
    assert status != 0 and 'error: there is no `python`; make an environment' in output


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        ({}, '--gres=gpu:8 --ntasks=8 --ntasks-per-node=8 --cpus-per-task=5'),
        ({'GPUS': '2'}, '--gres=gpu:2 --ntasks=2 --ntasks-per-node=2 --cpus-per-task=5'),
        (
            {'GPUS': '16', 'GPUS_PER_NODE': '4', 'CPUS_PER_TASK': '3'},
            '--gres=gpu:4 --ntasks=16 --ntasks-per-node=4 --cpus-per-task=3',
        ),
    ],
)
def test_slurm_train_asks_for_what_the_environment_says(ready, settings, expected):
    ready.add_program('srun', '#!/bin/bash\nprintf "%s\\n" "srun $*" >>"$CALLS"\n')
    settings = settings | {'SRUN_ARGS': '--quotatype=spot --time=10'}
    status, output = ready.run('tools/slurm_train.sh', 'part', 'job', 'config.py', '--amp', **settings)
    assert status == 0, output
    (call,) = ready.calls('srun')
    assert call == (
        f'srun --partition=part --job-name=job {expected} --kill-on-bad-exit=1 '
        f'--quotatype=spot --time=10 {ready.venv}/bin/python -u {ready.root}/tools/train.py '
        'config.py --launcher slurm --amp'
    )


def wait_for(condition, seconds: float = 30) -> None:
    """Return as soon as ``condition()`` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'nothing happened'
        time.sleep(0.05)
