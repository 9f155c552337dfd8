"""Tests of the page that the quick start ends with."""

from __future__ import annotations

import base64
import json
import re
import shlex
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

from mmfct.apis.quickstart_report import markdown_to_html, write_quickstart_report
from mmfct.cli import COMMANDS
from mmfct.utils.figures import save_png


@pytest.fixture
def jobs(tmp_path):
    """Work folders of both jobs, with results."""
    upgrade, labels = tmp_path / 'upgrade', tmp_path / 'labels'
    for name in ('compatibility', 'embeddings'):
        save_png(Figure(figsize=(1, 1)), upgrade / f'{name}.png')
    (upgrade / 'compatibility.md').write_text('| query/gallery | mAP (%) |\n| --- | ---: |\n| new/h(old) | 97.78 |\n')
    (upgrade / 'galleries').mkdir()
    lines = [
        '    Gallery <a>: 0.1 ms per item',
        '    Gallery w/galleries/upgraded: 719 embeddings of m (2f), 0.0716 ms per item',
        '    Gallery w/galleries/new: 719 embeddings of m (2f), 2e-05 ms per item',
    ]
    (upgrade / 'galleries/times.txt').write_text('\n'.join(lines) + '\n')
    for name in ('detection_seg', 'detection_depth', 'suspects_seg', 'suspects_depth'):
        save_png(Figure(figsize=(1, 1)), labels / f'suspects/{name}.png')
    for number in (1, 2):
        folder = labels / f'2026112{number}_000000/vis_data/vis_image'
        save_png(Figure(figsize=(number, 2)), folder / 'instance_weights_0.png')
    (labels / 'suspects/detection.md').write_text('| task | labels |\n| --- | ---: |\n| depth | about 19 % <&> |\n')
    found = dict(seg=dict(flagged=0), depth=dict(flagged=40))
    (labels / 'suspects/detection.json').write_text(json.dumps(found))
    return upgrade, labels


class Reader(HTMLParser):
    """Keeps pictures and text of a page, and checks that its tags are balanced."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.images, self.open, self.words = [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag == 'img':
            self.images.append(dict(attrs))
        elif tag not in ('meta', 'link', 'br'):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_holds_tables_pictures_and_what_to_do_next(jobs, tmp_path):
    file = write_quickstart_report(*jobs, tmp_path / 'new' / 'report.html')
    page = file.read_text()
    reader = Reader(page)
    text = ' '.join(reader.words)
    for words in (
        '97.78',
        'Gallery <a>: 0.1 ms per item',
        'upgraded from stored vectors: 0.0716 ms',
        'embedded again from images: 2e-05 ms',
        'about 19 % <&>',
        'mmfct upgrade',
        'Results of 20',
    ):
        assert words in text
    assert [image['alt'].partition(':')[0] for image in reader.images] == [
        'Scores of each pair of queries and gallery',
        'Where upgraded vectors (middle) lie, and where they should (right)',
        'seg',
        'depth',
        'depth',  # the sheet of seg, of which nothing was flagged, would show right labels
        'Weights of the images in training',
    ]
    newest = jobs[1] / '20261122_000000/vis_data/vis_image/instance_weights_0.png'
    assert base64.b64decode(reader.images[-1]['src'].removeprefix('data:image/png;base64,')) == newest.read_bytes()


def test_the_page_works_offline(jobs, tmp_path):
    page = write_quickstart_report(*jobs, tmp_path / 'report.html').read_text()
    assert all(image['src'].startswith('data:image/png;base64,') for image in Reader(page).images)
    assert not re.search(r'https?://|<script|<link|@import|url\(', page)


def test_the_commands_of_the_page_exist(jobs, tmp_path):
    page = ''.join(Reader(write_quickstart_report(*jobs, tmp_path / 'report.html').read_text()).words)
    words = [shlex.split(line) for line in page.splitlines() if line.startswith('mmfct ')]
    assert len(words) >= 6 and {line[1] for line in words} <= set(COMMANDS)


@pytest.mark.parametrize(('missing', 'job'), [(0, 'fct'), (1, 'itp')])
def test_a_job_that_was_not_run_is_named_with_its_command(jobs, tmp_path, missing, job):
    folders = [tmp_path / 'none' if place == missing else folder for place, folder in enumerate(jobs)]
    text = ''.join(Reader(write_quickstart_report(*folders, tmp_path / 'report.html').read_text()).words)
    assert f'This job was not run: bash tools/quickstart.sh {job}' in text
    assert ('97.78' in text) == (missing == 1) and ('about 19 %' in text) == (missing == 0)


def test_without_results_nothing_is_written(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'results in .*a.* or .*b.*, got neither; run `bash tools/quickstart'):
        write_quickstart_report(tmp_path / 'a', tmp_path / 'b', tmp_path / 'report.html')
    assert not list(tmp_path.iterdir())


def test_a_missing_picture_is_named_and_an_earlier_page_stays(jobs, tmp_path):
    (tmp_path / 'report.html').write_text('earlier')
    (jobs[0] / 'embeddings.png').unlink()
    with pytest.raises(FileNotFoundError, match='embeddings.png'):
        write_quickstart_report(*jobs, tmp_path / 'report.html')
    assert (tmp_path / 'report.html').read_text() == 'earlier'


def test_another_format_is_refused(jobs, tmp_path):
    with pytest.raises(ValueError, match=r"must end with .html, got '.*report.pdf'"):
        write_quickstart_report(*jobs, tmp_path / 'report.pdf')


def test_markdown():
    text = '**Careful** & `a<b`\nmore\n\n- one\n- `two`\n\n| a | b |\n| - | -: |\n| x |  |\n\n\n| not a table'
    assert markdown_to_html(text).split('\n') == [
        '<p><b>Careful</b> &amp; <code>a&lt;b</code> more</p>',
        '<ul><li>one</li><li><code>two</code></li></ul>',
        '<div class="table"><table><tr><th>a</th><th>b</th></tr><tr><td>x</td><td></td></tr></table></div>',
        '<p>| not a table</p>',
    ]


def test_the_tool_says_where_the_page_is(jobs, tmp_path, run_tool, capsys):
    out = tmp_path / 'report.html'
    assert run_tool('quickstart_report.py', *jobs, out) == 0
    assert capsys.readouterr().out == f'Report: open {out.resolve()} in a browser\n'
    assert out.is_file()
    assert run_tool('quickstart_report.py', tmp_path / 'a', tmp_path / 'b', out) == 2
    assert 'error: there must be results in' in capsys.readouterr().err
