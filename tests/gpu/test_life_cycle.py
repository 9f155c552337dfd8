"""The tools on a GPU, from a training to a gallery that is searched: what they write is what the CPU writes."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mmfct.apis.export_transform import export_transform
from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.find_corrupt_labels import find_corrupt_labels
from mmfct.apis.search_gallery import search_images
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.test import test as run_test  # a name that pytest does not collect
from mmfct.apis.training.train import train
from mmfct.apis.upgrade_gallery import upgrade_gallery
from mmfct.retrieval import Gallery
from mmfct.retrieval.transform.file import read_transform

CONFIGS = Path(__file__).parents[2] / 'configs'
FCT = str(CONFIGS / 'fct/resnet10_digits.py')
NOISY = str(CONFIGS / 'itp/resnet10_digits_noisy.py')
TINY = dict(epochs=1, side_epochs=1, transform_epochs=2, warmup_epochs=0, num_views=1, image_size=8, log_level='ERROR')
FOLDER_PIPELINE = [dict(type='LoadImageFromFile', color_type='grayscale'), dict(type='PackInputs')]
# Distance from the CPU's float32, relative to the length of a vector: at most, and at least if it is computed so.
ERRORS = dict(float32=(1e-5, 0.0), bfloat16=(0.03, 1e-3), float16=(0.004, 1e-4))


@pytest.fixture(scope='module')
def trained(device, tmp_path_factory, plain_config_text) -> SimpleNamespace:
    """All stages, trained on the device: ``root`` of their folders, ``options`` and ``metrics``."""
    root = tmp_path_factory.mktemp('trained')
    options = dict(TINY, work_root=str(root))
    metrics = train(FCT, TrainingOptions(cfg_options=dict(options)))
    return SimpleNamespace(root=root, options=options, metrics=metrics, h=str(root / 'resnet10_digits/final.pth'))


@pytest.fixture(scope='module')
def galleries(trained, device, tmp_path_factory) -> Path:
    """Galleries ``old_<device>`` and the file of h, ``h``."""
    folder = tmp_path_factory.mktemp('galleries')
    checkpoint = str(trained.root / 'resnet10_digits_old/final.pth')
    for place in ('cpu', str(device)):
        out = str(folder / f'old_{place.partition(":")[0]}')
        extract_gallery(FCT, checkpoint, out, device=place, cfg_options=trained.options)
    export_transform(FCT, trained.h, str(folder / 'h'), cfg_options=trained.options)
    return folder


def relative_distance(rows: np.ndarray, others: np.ndarray) -> float:
    """Largest distance of two rows in proportion to the length of the second."""
    return float((np.linalg.norm(rows - others, axis=1) / np.linalg.norm(others, axis=1)).max())


def test_a_training_is_scored_as_on_the_cpu(trained, on_cpu, tmp_path):
    with on_cpu():
        options = TrainingOptions(cfg_options=dict(trained.options), work_dir=str(tmp_path))
        metrics = run_test(FCT, trained.h, options)
    assert metrics.keys() == trained.metrics.keys() and metrics['compatibility/num_queries'] > 700
    scores = [name for name in metrics if name.endswith('_map')]
    for name in scores:
        assert trained.metrics[name] == pytest.approx(metrics[name], abs=1e-3), name


def test_a_gallery_is_that_of_the_cpu(galleries):
    there, here = Gallery(galleries / 'old_cuda'), Gallery(galleries / 'old_cpu')
    for column in ('embedding', 'side_info'):
        assert relative_distance(there.column(column), here.column(column)) < 1e-4
    assert np.array_equal(there.column('label'), here.column('label'))


def test_an_exported_transform_is_that_of_the_cpu(trained, galleries, on_cpu, tmp_path):
    with on_cpu():
        export_transform(FCT, trained.h, str(tmp_path / 'h'), cfg_options=trained.options)
    there, here = read_transform(galleries / 'h'), read_transform(tmp_path / 'h')
    assert there[2] == here[2] and there[0].backfill_seconds > 0  # the fingerprint of all weights


@pytest.mark.parametrize('dtype', ERRORS)
def test_an_upgrade_is_that_of_the_cpu(device, galleries, tmp_path, dtype):
    source, transforms = str(galleries / 'old_cpu'), [str(galleries / 'h')]
    there = upgrade_gallery(source, transforms, str(tmp_path / 'there'), dtype=dtype, device=str(device))
    here = upgrade_gallery(source, transforms, str(tmp_path / 'here'), device='cpu')
    most, least = ERRORS[dtype]
    rows = there.column('embedding')
    assert rows.dtype == np.float32
    assert least <= relative_distance(rows, here.column('embedding')) <= most


def test_images_are_searched_on_the_device(trained, device, tmp_path):
    photos, rng = tmp_path / 'photos', np.random.default_rng(0)
    photos.mkdir()
    for number in range(6):
        cv2.imwrite(str(photos / f'{number}.png'), rng.integers(0, 255, (16, 16), dtype=np.uint8))
    options = dict(cfg_options=trained.options | dict(folder_pipeline=FOLDER_PIPELINE))
    new, gallery = str(trained.root / 'resnet10_digits_new/final.pth'), str(tmp_path / 'gallery')
    extract_gallery(FCT, new, gallery, role='new', images=str(photos), device='cpu', **options)
    found = search_images(gallery, [str(photos / '4.png')], FCT, new, k=3, **options)
    assert found.ids[0][0] == '4.png' and found.distances[0][0] < 1e-3 < found.distances[0][1]


def test_wrong_labels_are_those_that_the_cpu_finds(device, tmp_path, plain_config_text):
    options = {
        'image_size': 8,
        'epochs': 2,
        'warmup_epochs': 1,
        'weighting': 'itp',
        'train_dataloader.dataset.dataset.indices': 70,
        'work_dir': str(tmp_path),
        'log_level': 'ERROR',
    }
    train(NOISY, TrainingOptions(cfg_options=dict(options), amp=True))
    checkpoint = str(tmp_path / 'final.pth')
    for place in (str(device), 'cpu'):
        find_corrupt_labels(NOISY, checkpoint, tmp_path / place, cfg_options=options, device=place, top=0)
    there, here = (final_losses(tmp_path / place / 'suspects_label.csv') for place in (str(device), 'cpu'))
    assert len(here) == 70 and there == pytest.approx(here, rel=1e-3, abs=1e-4)


def final_losses(file: Path) -> dict[str, float]:
    """Loss of every label under the trained network, by image."""
    with open(file, newline='') as lines:
        return {row['file']: float(row['final_loss']) for row in csv.DictReader(lines)}
