"""What holds for every test: fixed seeds, few threads, no state left in mmengine's singletons."""

from __future__ import annotations

import contextlib
import csv
import gc
import hashlib
import io
import os
import pickle
import random
import runpy
import signal
import socket
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('MPLBACKEND', 'Agg')

import numpy as np
import pytest
import torch

# Where mmengine keeps objects that outlive the Runner that made them.
SINGLETONS = {
    'mmengine.logging': ('MMLogger', 'MessageHub'),
    'mmengine.registry': ('DefaultScope',),
    'mmengine.visualization': ('Visualizer',),
}

modules_spared = 0  # see `quick_collections`

torch.set_num_threads(min(2, torch.get_num_threads()))

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would the tools that tests interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of slow tests: at the end, one process would be busy with them and the others idle."""
    slow = {item.path for item in items if item.get_closest_marker('slow')}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Start every test from the same random state, so that their order does not matter."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def no_rank_left():
    """Forget the rank that a command or a test leaves in the environment: the next one would take it for its own."""
    os.environ.pop('LOCAL_RANK', None)
    yield
    os.environ.pop('LOCAL_RANK', None)


@pytest.fixture(autouse=True)
def quick_collections():
    """Keep imported packages from the garbage collector.

    mmengine runs it for every data set it builds, and searching torch and the hosts takes longer than a tiny training.
    """
    global modules_spared
    if len(sys.modules) > modules_spared + 200:
        modules_spared = len(sys.modules)
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def clean_mmengine():
    """Forget the loggers, message hubs, scopes and visualizers that a test made."""
    yield
    for module, names in SINGLETONS.items():
        if module not in sys.modules:
            continue
        for name in names:
            for kind in with_subclasses(getattr(sys.modules[module], name)):
                instances = kind._instance_dict
                if name == 'MMLogger':
                    close_files(instances.values())
                instances.clear()


def with_subclasses(kind: type) -> list[type]:
    """A class and all that inherit from it, such as the hosts' visualizers, which keep their instances apart."""
    return [kind, *(inner for subclass in kind.__subclasses__() for inner in with_subclasses(subclass))]


def close_files(loggers) -> None:
    """Close the log files, which are in temporary folders about to be removed."""
    for logger in loggers:
        for handler in list(logger.handlers):
            handler.close()
            logger.removeHandler(handler)


@pytest.fixture(scope='session')
def plain_config_text():
    """Spare mmengine's formatting of config text, which takes longer than a tiny training."""
    patch = pytest.MonkeyPatch()
    patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **_: (text, True))
    yield
    patch.undo()


@pytest.fixture
def undrawn_figures(monkeypatch) -> None:
    """Spare the drawing of figures that nobody looks at, which takes a tenth of a tiny training; files are empty."""
    for method in ('draw', 'savefig'):
        monkeypatch.setattr(f'matplotlib.figure.Figure.{method}', lambda *_, **__: None)


@pytest.fixture(scope='session')
def plain_config_environment(tmp_path_factory) -> dict[str, str]:
    """Environment of programs that tests start, which spares them the same."""
    folder = tmp_path_factory.mktemp('plain')
    (folder / 'yapf/yapflib').mkdir(parents=True)
    (folder / 'yapf/__init__.py').write_text("__version__ = '1.0'\n")
    (folder / 'yapf/yapflib/yapf_api.py').write_text('def FormatCode(text, **_):\n    return text, True\n')
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get('PYTHONPATH')])])
    return os.environ | dict(OMP_NUM_THREADS='1', PYTHONPATH=path)


@pytest.fixture(scope='session')
def digits(tmp_path_factory, plain_config_text) -> SimpleNamespace:
    """FCT's whole life cycle on the digits, made tiny: for tests that read what it leaves and change nothing.

    ``config`` is the file, ``root`` the folder of all trainings, ``cfg_options`` the options and ``metrics`` what
    `train` returned.
    """
    from mmfct.apis.training.options import TrainingOptions
    from mmfct.apis.training.train import train

    config = str(Path(__file__).parents[1] / 'configs/fct/resnet10_digits.py')
    root = tmp_path_factory.mktemp('digits')
    cfg_options = dict(
        epochs=2, side_epochs=2, transform_epochs=2, warmup_epochs=1, num_views=1, image_size=8, work_root=str(root)
    )
    metrics = train(config, TrainingOptions(cfg_options=cfg_options))
    return SimpleNamespace(config=config, root=root, cfg_options=cfg_options, metrics=metrics)


def picture(label: int, rng: np.random.Generator, size: int = 40) -> np.ndarray:
    """Noise around a colour of the class, BGR of shape (size, size, 3)."""
    color = np.random.default_rng(label).integers(0, 256, 3)
    return np.clip(rng.normal(color, 30, (size, size, 3)), 0, 255).astype(np.uint8)


def encoded(image: np.ndarray, suffix: str) -> bytes:
    """Bytes of an image file."""
    import cv2

    return cv2.imencode(suffix, image)[1].tobytes()


@pytest.fixture(scope='session')
def imagenet_root(tmp_path_factory) -> str:
    """Four classes in the ImageNet format, four training and three validation images each."""
    names = [f'n0{label}' for label in range(4)]
    return write_classes(tmp_path_factory.mktemp('imagenet'), dict(train=names, val=names), '{}.JPEG')


@pytest.fixture(scope='session')
def places365_root(tmp_path_factory) -> str:
    """Four scenes in the folder format of Places-365, as many images as in `imagenet_root`."""
    names = ['airfield', 'airplane_cabin', 'alley', 'yard']
    folder = tmp_path_factory.mktemp('places365')
    return write_classes(folder, dict(train=names, val=names), 'Places365_{:08d}.jpg')


@pytest.fixture(scope='session')
def vggface2_root(tmp_path_factory) -> str:
    """Four identities for the training and four others for the test, in the folder format of VGGFace2."""
    identities = [f'n{number:06d}' for number in range(1, 9)]
    folder = tmp_path_factory.mktemp('vggface2')
    return write_classes(folder, dict(train=identities[1::2], test=identities[::2]), '{:04d}_01.jpg')


def write_classes(folder: Path, splits: dict[str, list[str]], file: str) -> str:
    """Write a folder per class: four images for the training, three otherwise."""
    rng = np.random.default_rng(0)
    for split, names in splits.items():
        for label, name in enumerate(names):
            (folder / split / name).mkdir(parents=True)
            for index in range(4 if split == 'train' else 3):
                (folder / split / name / file.format(index)).write_bytes(encoded(picture(label, rng), '.jpg'))
    return str(folder)


@pytest.fixture(scope='session')
def smplx():
    """Skip where ``smplx`` is missing, which the scripts of tools/ do not install: it is not for commercial use."""
    return pytest.importorskip('smplx', reason="smplx is not installed: pip install 'mmfct[smpl]'")


@pytest.fixture(scope='session')
def real_images():
    """Function that returns the folder of a published data set, or skips where it is missing.

    They lie in ``MMFCT_REAL_IMAGES``, or else in ``shared/data`` beside the checkout.
    """
    parent = Path(os.environ.get('MMFCT_REAL_IMAGES') or Path(__file__).parents[2] / 'shared/data')

    def find(name: str) -> str:
        if not (parent / name).is_dir():
            pytest.skip(f'{name} is not in {parent}, the folder that MMFCT_REAL_IMAGES names')
        return str(parent / name)

    return find


@pytest.fixture(scope='session')
def cifar100_root(tmp_path_factory) -> str:
    """The first four classes in CIFAR-100's own format, as many images as in `imagenet_root`."""
    from mmpretrain.datasets import CIFAR100

    folder, rng = tmp_path_factory.mktemp('cifar100'), np.random.default_rng(0)
    (folder / CIFAR100.base_folder).mkdir()
    for split, count in dict(train=4, test=3).items():
        labels = [label for label in range(4) for _ in range(count)]
        images = np.stack([picture(label, rng, 32).transpose(2, 0, 1).ravel() for label in labels])
        content = pickle.dumps(dict(data=images, fine_labels=labels))
        (folder / CIFAR100.base_folder / split).write_bytes(content)
    patch = pytest.MonkeyPatch()
    patch.setattr(CIFAR100, 'train_list', [['train', None]])  # without the checksums of the real files
    patch.setattr(CIFAR100, 'test_list', [['test', None]])
    yield str(folder)
    patch.undo()


@pytest.fixture(scope='session')
def omniglot_root(tmp_path_factory) -> str:
    """All 242 characters of Omniglot's two small archives, two drawings for training and two for the test."""
    folder, rng = tmp_path_factory.mktemp('omniglot'), np.random.default_rng(0)
    alphabets = dict(zip('ABCDEFGH', [30, 30, 30, 31, 30, 30, 30, 31], strict=True))
    for archive, names in dict(images_background_small1='ABCD', images_background_small2='EFGH').items():
        with zipfile.ZipFile(folder / f'{archive}.zip', 'w') as file:
            for name in names:
                for number in range(alphabets[name]):
                    ink = rng.random((35, 35)) < 0.1
                    for drawer in (1, 14, 15, 20):
                        drawing = np.where(ink ^ (rng.random((35, 35)) < 0.02), 0, 255).astype(np.uint8)
                        member = f'{archive}/{name}/character{number:02d}/01{number:02d}_{drawer:02d}.png'
                        file.writestr(member, encoded(drawing, '.png'))
    return str(folder)


@pytest.fixture(scope='session')
def grocery_root(tmp_path_factory) -> str:
    """All 81 products (43 coarse) of Grocery Store, four photographs for training and two for the test."""
    folder, rng = tmp_path_factory.mktemp('grocery'), np.random.default_rng(0)
    coarse = [min(label, 42) for label in range(81)]
    with open(folder / 'classes.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['Class Name (str)', 'Class ID (int)', 'Coarse Class Name (str)', 'Coarse Class ID (int)'])
        writer.writerows([f'Fine{label}', label, f'Coarse{coarse[label]}', coarse[label]] for label in range(81))
    with tarfile.open(folder / 'images.tar', 'w') as tar:
        for split, count in dict(train=4, test=2).items():
            lines = []
            for label in range(81):
                for index in range(count):
                    name = f'{split}/Fine{label}/{index}.jpg'
                    lines.append(f'{name}, {label}, {coarse[label]}\n')
                    member, content = tarfile.TarInfo(name), encoded(picture(label, rng), '.jpg')
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
            (folder / f'{split}.txt').write_text(''.join(lines))
    return str(folder)


@pytest.fixture(scope='session')
def surreal_root(tmp_path_factory) -> str:
    """Four training, one validation and two test clips of SURREAL's format, 3 frames each; change nothing."""
    from renderers.surreal_clips import render_surreal_clips

    folder = tmp_path_factory.mktemp('surreal') / 'new/folder'
    assert render_surreal_clips(folder, num_train=4, num_val=1, num_test=2, frames=3, seed=5) == 7
    return str(folder)


def write_gallery(folder, model, embedding, *, shard_rows=40, distance='l2', upgrades=(), **columns) -> Path:
    """Write a gallery of the named model; models of one name are the same."""
    from mmfct.retrieval import GalleryWriter
    from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
    from mmfct.retrieval.gallery.texts import text_dtype

    arrays = dict(embedding=np.asarray(embedding, np.float32), id=[f'{row:03d}.png' for row in range(len(embedding))])
    arrays = {name: np.asarray(array) for name, array in {**arrays, **columns}.items()}
    identity = ModelIdentity(model, hashlib.sha256(model.encode()).hexdigest())
    writer = GalleryWriter(
        folder,
        columns={
            name: (text_dtype(array) if array.dtype.kind in 'UO' else array.dtype.name, *(array.shape[1:] or (None,)))
            for name, array in arrays.items()
        },
        num_rows=len(embedding),
        shard_rows=shard_rows,
        metadata=Provenance(identity, None, distance, upgrades).to_metadata(),
    )
    for index, start, stop in writer.pending():
        writer.write_shard(index, {name: array[start:stop] for name, array in arrays.items()})
    writer.finish()
    return folder


@pytest.fixture
def run_tool(monkeypatch):
    """Run a script of ``tools/`` in this process and return its exit status."""

    def run(name: str, *words: object) -> int:
        script = str(Path(__file__).parents[1] / 'tools' / name)
        monkeypatch.setattr('sys.argv', [script, *map(str, words)])
        try:
            runpy.run_path(script, run_name='__main__')
        except SystemExit as status:
            return status.code or 0
        return 0

    return run


@pytest.fixture(scope='session')
def run_ranks():
    """Function that runs a program which forks into two ranks, and returns what they print; a rank must not fail.

    The environment is that of torchrun but for the rank. Imports, which take most of the time, are done once.
    """

    def run(*words: object, folder: Path) -> str:
        with socket.socket() as server:
            server.bind(('127.0.0.1', 0))
            port = str(server.getsockname()[1])
        environment = dict(
            PYTHONPATH=str(Path(__file__).parents[1]),
            CUDA_VISIBLE_DEVICES='',
            OMP_NUM_THREADS='1',
            WORLD_SIZE='2',
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=port,
        )
        program = subprocess.Popen(
            [sys.executable, *map(str, words), str(folder)],
            env=os.environ | environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            output, errors = program.communicate(timeout=240)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
        assert program.returncode == 0, errors
        return output

    return run


@pytest.fixture
def make_gallery(tmp_path):
    """Write galleries into a folder of the test."""
    return lambda name, *args, **columns: write_gallery(tmp_path / name, *args, **columns)


@pytest.fixture(scope='session')
def switch(tmp_path_factory):
    """Folders of 60 items of 5 classes: an old model, a better and wider new one, and an upgrade in between."""
    folder = tmp_path_factory.mktemp('switch')
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 5
    noise = lambda scale, width: scale * generator.standard_normal((60, width))  # noqa: E731
    old = np.eye(6)[labels] + noise(0.7, 6)
    new = np.eye(8)[labels] + noise(0.3, 8)
    upgraded = new + noise(0.2, 8)
    return SimpleNamespace(
        labels=labels,
        old=write_gallery(folder / 'old', 'model_v1', old, label=labels),
        upgraded=write_gallery(
            folder / 'upgraded', 'model_v2', upgraded, label=labels, upgrades=[dict(transform='h')]
        ),
        new=write_gallery(folder / 'new', 'model_v2', new, label=labels),
    )
