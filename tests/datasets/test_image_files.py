"""Tests of image files without labels."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from mmfct.datasets.image_files import ImageFiles
from mmfct.datasets.image_listing import image_extensions
from mmfct.registry import DATASETS


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(['b/1.PNG', 'a/2.jpg', '0.png', 'a/deep/3.webp']):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix.lower(), np.full((4, 4, 3), 10 * number, np.uint8))[1].tobytes())
    (tmp_path / 'notes.txt').write_text('no image')
    return tmp_path


def names(dataset, folder) -> list[str]:
    return [dataset.get_data_info(i)['img_path'].removeprefix(f'{folder}/') for i in range(len(dataset))]


def test_all_images_in_order(folder):
    dataset = DATASETS.build(dict(type='mmfct.ImageFiles', data_root=str(folder)))
    assert names(dataset, folder) == ['0.png', 'a/2.jpg', 'a/deep/3.webp', 'b/1.PNG']


def test_named_files_in_the_order_given(folder):
    dataset = ImageFiles(str(folder), ['b/1.PNG', '0.png'], pipeline=[dict(type='mmcv.LoadImageFromFile')])
    assert names(dataset, folder) == ['b/1.PNG', '0.png']
    assert dataset[1]['img'].shape == (4, 4, 3) and (dataset[1]['img'] == 20).all()


def test_what_is_missing(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match='`data_root` must be a folder of images, got .* does not exist'):
        ImageFiles(str(tmp_path / 'no'))
    with pytest.raises(FileNotFoundError, match="1 image files do not exist, such as '.*no.png'"):
        ImageFiles(str(folder), ['0.png', 'no.png'])
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match=r'`data_root` must hold images \(.*\.webp\), got none in'):
        ImageFiles(str(tmp_path / 'empty'))


@pytest.fixture
def said(monkeypatch) -> list[str]:
    """What is logged."""
    texts: list[str] = []
    monkeypatch.setattr('mmfct.datasets.image_files.print_log', lambda text, *options: texts.append(text))
    return texts


def test_what_is_passed_over_is_said(folder, said):
    for name in (
        'x.heic',
        'y.heic',
        'README',
        '.hidden.png',
        '._2.jpg',
        '.ipynb_checkpoints/1.png',
        '.Trash-1000/t.png',
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    for name in ('a/@eaDir/1.png', 'a/deep/__MACOSX/2.png', '$RECYCLE.BIN/3.png'):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / 'gone.png').symlink_to(folder / 'nowhere')
    assert names(ImageFiles(str(folder)), folder) == ['0.png', 'a/2.jpg', 'a/deep/3.webp', 'b/1.PNG']
    (text,) = said
    assert text.startswith(f'{folder}: 4 images are read; passed over: ')
    assert 'formats that are not read here (2 .heic, 1 without extension, 1 .txt)' in text
    assert "7 hidden files and folders and bins ('$RECYCLE.BIN', '.Trash-1000', '._2.jpg', ...)" in text
    assert "1 files and folders that cannot be opened ('gone.png')" in text


def test_nothing_is_said_if_nothing_is_passed_over(folder, said):
    (folder / 'notes.txt').unlink()
    assert len(ImageFiles(str(folder))) == 4 and said == []
    (folder / '.x').touch()
    assert len(ImageFiles(str(folder), ['0.png'])) == 1 and said == []


@pytest.mark.parametrize('suffix', ['.jfif', '.JPE', '.jp2', '.gif', '.avif', '.pgm', '.dib'])
def test_every_format_that_can_be_read_is(tmp_path, said, suffix):
    kind = {'.jfif': '.jpg', '.JPE': '.jpg', '.dib': '.bmp'}.get(suffix, suffix)
    (tmp_path / '0.png').write_bytes(cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    if suffix.lower() not in image_extensions():
        (tmp_path / f'1{suffix}').touch()
        assert len(ImageFiles(str(tmp_path))) == 1 and f'1 {suffix}' in said[0]
        return
    picture = np.full((64, 64, 3) if kind != '.pgm' else (64, 64), 200, np.uint8)
    (tmp_path / f'1{suffix}').write_bytes(cv2.imencode(kind, picture)[1].tobytes())
    dataset = ImageFiles(str(tmp_path), pipeline=[dict(type='mmcv.LoadImageFromFile')])
    assert len(dataset) == 2 and abs(int(dataset[1]['img'][8, 8, 0]) - 200) < 40  # GIF has few colours


def test_formats_depend_on_the_build_of_opencv(monkeypatch):
    properties = '  Media I/O:\n    JPEG 2000:     build (ver 2.5.3)\n    AVIF:          NO\n    GIF:      YES\n'
    monkeypatch.setattr('cv2.getBuildInformation', lambda: properties)
    found = image_extensions.__wrapped__()
    assert {'.jp2', '.gif', '.jfif', '.png'} <= found and '.avif' not in found


def test_linked_folders_are_read_once(folder, said, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp('elsewhere')
    (elsewhere / 'in').mkdir()
    for name in ('4.png', 'in/5.png'):
        (elsewhere / name).write_bytes(cv2.imencode('.png', np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    (elsewhere / 'in/back').symlink_to(folder)  # a circle
    (folder / 'linked').symlink_to(elsewhere)
    (folder / '0again').symlink_to(folder / 'b')
    (folder / 'file.png').symlink_to(elsewhere / '4.png')
    assert names(ImageFiles(str(folder)), folder) == [
        *('0.png', 'a/2.jpg', 'a/deep/3.webp', 'b/1.PNG', 'file.png', 'linked/4.png', 'linked/in/5.png')
    ]
    assert "2 links to folders that are read already ('0again', 'linked/in/back')" in said[0]


def test_a_folder_that_cannot_be_opened_is_said(folder, said, monkeypatch):
    real = os.scandir

    def closed(path):
        if path == folder / 'b':
            raise PermissionError
        return real(path)

    monkeypatch.setattr('mmfct.datasets.image_listing.os.scandir', closed)
    assert len(ImageFiles(str(folder))) == 3
    assert "1 files and folders that cannot be opened ('b')" in said[0]
