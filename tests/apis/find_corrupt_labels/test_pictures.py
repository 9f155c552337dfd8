"""Files that other programs open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmfct.apis.find_corrupt_labels import pictures
from mmfct.apis.find_corrupt_labels.data import TrainingInstances
from mmfct.apis.find_corrupt_labels.model import build_model
from mmfct.apis.find_corrupt_labels.pictures import image_files
from mmfct.apis.find_corrupt_labels.ranking import Suspects
from mmfct.functional.wrong_labels import WrongLabels
from mmfct.utils.checkpoint import load_checkpoint


def make_suspects(rows: list[int], flagged: int) -> Suspects:
    score = np.arange(len(rows), 0, -1.0)
    return Suspects(
        task='seg',
        rows=np.array(rows),
        files=[str(row) for row in rows],
        rank=score / len(rows),
        wrong=WrongLabels(0.5, (0.2, 0.8), np.where(np.arange(len(rows)) < flagged, 0.9, 0.1), True),
        score=score,
        score_name='contrast in training',
        weight=score,
        final_loss=score,
        mean_loss=score,
        corrupted=None,
    )


@pytest.fixture
def run(street, tmp_path):
    """Function that returns the files of the street's instances, some of whose paths were changed."""

    def start(paths: dict[int, str], ranking: list[Suspects], top: int) -> tuple[list[str | None], TrainingInstances]:
        config = Config.fromfile(street.config)
        with DefaultScope.overwrite_default_scope('mmseg'):
            instances = TrainingInstances.of(config)
            model = build_model(config, load_checkpoint(street.checkpoint), street.checkpoint, 'cpu')
            changed = [paths.get(row, path) for row, path in enumerate(instances.paths)]
            return image_files(ranking, replace(instances, paths=changed), config, model, top, tmp_path), instances

    return start


def test_image_files_of_the_data_set_are_named(run, tmp_path):
    files, instances = run({}, [make_suspects([3, 1], 1)], top=2)
    assert files == instances.paths and not list(tmp_path.iterdir())


def test_what_is_no_image_file_of_its_own_gets_a_picture_if_it_is_suspect(run, street, tmp_path):
    array = tmp_path / 'image.npy'
    np.save(array, np.zeros(3))
    clip, gone = f'{tmp_path}/clip.mp4#3', f'{tmp_path}/gone.png'
    files, instances = run(
        {0: clip, 1: str(array), 2: gone, 3: 'x.png', 5: clip.replace('#3', '#4'), 7: street.config},
        [make_suspects([5, 1, 6, 0], 0), make_suspects([2, 7, 0, 3], 1)],
        top=2,
    )
    shown = {row: f'{tmp_path}/images/{row:06d}.png' for row in (1, 2, 5, 7)}
    without = dict.fromkeys((0, 3))
    assert dict(enumerate(files)) == dict(enumerate(instances.paths)) | shown | without
    for row, path in shown.items():
        assert (cv2.imread(path) == cv2.imread(instances.paths[row])).all()


def test_all_flagged_ones_get_a_picture_up_to_a_limit(run, monkeypatch, tmp_path):
    missing = {row: f'/none/{row}.png' for row in range(12)}
    files, _ = run(missing, [make_suspects(list(range(12)), 5)], top=0)
    assert [file is not None for file in files] == [row < 5 for row in range(12)]
    monkeypatch.setattr(pictures, '_MOST_PICTURES', 3)
    files, _ = run(missing, [make_suspects(list(range(11, -1, -1)), 5)], top=20)
    assert [Path(file).name for file in files if file] == ['000009.png', '000010.png', '000011.png']


def test_annotations_that_share_an_image_have_a_picture_each(run, street):
    image = str(next(Path(street.config).parent.rglob('aachen_00_leftImg8bit.png')))
    files, _ = run({0: image, 1: image}, [make_suspects([0, 1], 2)], top=0)
    assert len(set(files)) == 12  # FiftyOne keeps one row per file
