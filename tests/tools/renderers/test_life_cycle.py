"""Tests of the picture of README.md."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from renderers import life_cycle

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_the_pictures_of_the_repository_are_those_of_the_script(theme):
    file = ROOT / f'docs/images/life_cycle_{theme}.svg'
    assert file.read_text() == life_cycle.life_cycle(theme), 'run tools/renderers/life_cycle.py docs/images'
    assert file.stat().st_size < 30_000


def test_everything_is_inside_the_picture_and_said_in_words():
    root = ElementTree.fromstring(life_cycle.life_cycle('light'))
    name = '{http://www.w3.org/2000/svg}'
    assert root.find(f'{name}title').text and 'without reading an image' in root.find(f'{name}desc').text
    for box in root.iter(f'{name}rect'):
        x, y, width, height = (float(box.get(key)) for key in ('x', 'y', 'width', 'height'))
        assert 0 <= x <= x + width <= life_cycle.SIZE[0] and 0 <= y <= y + height <= life_cycle.SIZE[1]
    for words in root.iter(f'{name}text'):
        half = 0.26 * float(words.get('font-size')) * len(words.text)  # about, of a sans-serif font
        panel = (float(words.get('x')) - 8) % 318
        assert half < panel < 308 - half, words.text


def test_colours_of_the_pages_differ_in_what_is_not_a_model():
    light, dark = (life_cycle.life_cycle(theme) for theme in ('light', 'dark'))
    assert light != dark and '#F6F8FA' not in dark and light.count('#0173B2') == dark.count('#0173B2') > 0


def test_the_script_writes_both(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['life_cycle.py', str(tmp_path / 'images')])
    runpy.run_path(life_cycle.__file__, run_name='__main__')
    assert sorted(file.name for file in (tmp_path / 'images').iterdir()) == [
        'life_cycle_dark.svg',
        'life_cycle_light.svg',
    ]
