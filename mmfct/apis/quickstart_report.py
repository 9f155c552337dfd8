"""The results of the quick start on one page: a single HTML file with its pictures inside."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path

from mmfct.utils.files import write_atomically

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mmfct: results of the quick start</title>
<style>
:root {{ color-scheme: light dark; --line: #d1d9e0; --quiet: #59636e; --card: #f6f8fa; }}
@media (prefers-color-scheme: dark) {{ :root {{ --line: #3d444d; --quiet: #9198a1; --card: #151b23; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 0 auto; padding: 1rem 1.25rem 3rem; }}
h1 {{ line-height: 1.2; }}
h2 {{ margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }}
.table {{ overflow-x: auto; }}
table {{ border-collapse: collapse; margin: .5rem 0; font-size: .9rem; }}
th, td {{ white-space: nowrap; border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
figure {{ margin: 1rem 0; }}
figure img {{ box-sizing: border-box; max-width: 100%; background: white; }}
figure img {{ border: 1px solid var(--line); border-radius: 6px; }}
figcaption, .quiet {{ color: var(--quiet); font-size: .9rem; }}
pre {{ background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .7rem; overflow-x: auto; }}
</style>
</head>
<body>
<h1>What the quick start found</h1>
{body}
</body>
</html>
"""
_GALLERIES = dict(upgraded='upgraded from stored vectors', new='embedded again from images')
_NOT_RUN = '<p>This job was not run: <code>bash tools/quickstart.sh {job}</code></p>'

_UPGRADE_NEXT = """source .venv/bin/activate
# your own vectors, of any two models: learn from a sample, upgrade everything, and look before you switch
mmfct learn old.parquet new_sample.parquet --out h.safetensors
mmfct upgrade old.parquet h.safetensors gallery_upgraded
mmfct evaluate --help
# neighbours of queries in the gallery that was upgraded here
mmfct search {folder}/galleries/upgraded --query {folder}/galleries/new"""
_LABELS_NEXT = """source .venv/bin/activate
# labels to look at first, the most suspicious at the top
head {folder}/suspects/suspects_depth.csv
# your own training with a weight per image: add the hook of configs/itp to your config, then
mmfct train my_config.py
mmfct suspects my_config.py work_dirs/my_config/final.pth"""


def write_quickstart_report(upgrade: str | Path, labels: str | Path, file: str | Path) -> Path:
    """Write the page; a job that was not run is named with its command.

    Args:
        upgrade: Work folder of the job that upgrades a gallery.
        labels: Work folder of the job that finds wrong labels.
        file: HTML file to write.

    Returns:
        The written file.

    Raises:
        ValueError: If ``file`` does not end with ``.html``.
        FileNotFoundError: If neither folder has results, or one has a part of them only.
    """
    upgrade, labels, file = Path(upgrade), Path(labels), Path(file)
    if file.suffix != '.html':
        raise ValueError(f'the report must end with .html, got {str(file)!r}')
    found = [(upgrade / 'compatibility.md').is_file(), (labels / 'suspects' / 'detection.json').is_file()]
    if not any(found):
        raise FileNotFoundError(
            f'there must be results in {str(upgrade)!r} or {str(labels)!r}, got neither; '
            'run `bash tools/quickstart.sh`'
        )
    parts = ['<h2>1. A gallery, upgraded to a new model</h2>']
    parts += _upgrade_part(upgrade) if found[0] else [_NOT_RUN.format(job='fct')]
    parts.append('<h2>2. Wrong labels, found in training</h2>')
    parts += _labels_part(labels) if found[1] else [_NOT_RUN.format(job='itp')]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, _PAGE.format(body='\n'.join(parts)).encode())
    return file


def markdown_to_html(text: str) -> str:
    """Turn the Markdown of our reports into HTML: paragraphs, tables, bullets, code and bold; the rest is escaped."""
    return '\n'.join(_block(block) for block in re.split(r'\n\s*\n', text.strip()) if block)


def _upgrade_part(folder: Path) -> Iterator[str]:
    yield _written(folder / 'compatibility.md')
    yield (
        '<p>An old model saw the digits 0 to 4, a new one all ten. Both make vectors of the same images. The rows are '
        'queries / gallery: <b>old/old</b> is the search of today; <b>new/old</b> is what happens if only the model '
        'is changed; <b>new/h(old)</b> is the upgraded gallery, made without an image; <b>new/new</b> is the goal, '
        'for which every image is embedded again.</p>'
    )
    yield markdown_to_html((folder / 'compatibility.md').read_text())
    times = folder / 'galleries' / 'times.txt'
    if times.is_file():
        yield '<p>Time per item, with a tiny network and images in memory:</p>'
        yield markdown_to_html('\n'.join(map(_time, times.read_text().strip().split('\n'))))
    yield _figure(folder / 'compatibility.png', 'Scores of each pair of queries and gallery')
    yield _figure(folder / 'embeddings.png', 'Where upgraded vectors (middle) lie, and where they should (right)')
    yield f'<h3>Next</h3>\n<pre>{escape(_UPGRADE_NEXT.format(folder=folder))}</pre>'


def _labels_part(folder: Path) -> Iterator[str]:
    suspects = folder / 'suspects'
    detection = json.loads((suspects / 'detection.json').read_text())
    yield _written(suspects / 'detection.json')
    yield (
        '<p>Segmentation and depth were trained together on rendered streets; the depth maps of a fifth of the images '
        'belong to other images. Every image has a weight per task. The search did not know which labels are wrong; '
        'precision and recall compare what it flagged with the truth.</p>'
    )
    yield markdown_to_html((suspects / 'detection.md').read_text())
    for task, found in detection.items():
        yield _figure(suspects / f'detection_{task}.png', f'{task}: how the labels rank')
        if found['flagged'] and (sheet := suspects / f'suspects_{task}.png').is_file():
            yield _figure(sheet, f'{task}: the most suspicious labels, with the image and what the network predicts')
    sheets = sorted(folder.glob('*/vis_data/vis_image/instance_weights_*.png'))  # by time
    if sheets:
        yield _figure(sheets[-1], 'Weights of the images in training: those of wrong labels fall')
    yield f'<h3>Next</h3>\n<pre>{escape(_LABELS_NEXT.format(folder=folder))}</pre>'


def _time(line: str) -> str:
    """Say what a line of a tool about a gallery and its time per item means."""
    found = re.search(r'/(\w+): .*?([\d.e-]+ ms) per item', line)
    if found is None or found[1] not in _GALLERIES:
        return f'- {line.strip()}'
    return f'- {_GALLERIES[found[1]]}: {found[2]}'


def _written(file: Path) -> str:
    """Say when results were written: those of a job that was not run this time are of an earlier one."""
    when = time.strftime('%Y-%m-%d %H:%M', time.localtime(file.stat().st_mtime))
    return f'<p class="quiet">Results of {when}, in <code>{escape(str(file.parent.resolve()))}</code></p>'


def _figure(file: Path, words: str) -> str:
    data = base64.b64encode(file.read_bytes()).decode()
    words = escape(words)
    return f'<figure><img alt="{words}" src="data:image/png;base64,{data}"><figcaption>{words}</figcaption></figure>'


def _block(block: str) -> str:
    lines = block.strip().split('\n')
    if all(line.startswith('|') for line in lines) and len(lines) > 1:
        head, _, *rows = ([cell.strip() for cell in line.strip('|').split('|')] for line in lines)
        cells = [f'<tr>{"".join(f"<th>{_inline(cell)}</th>" for cell in head)}</tr>']
        cells += [f'<tr>{"".join(f"<td>{_inline(cell)}</td>" for cell in row)}</tr>' for row in rows]
        return f'<div class="table"><table>{"".join(cells)}</table></div>'
    if all(line.startswith('- ') for line in lines):
        return f'<ul>{"".join(f"<li>{_inline(line[2:])}</li>" for line in lines)}</ul>'
    return f'<p>{_inline(" ".join(lines))}</p>'


def _inline(text: str) -> str:
    text = re.sub(r'`([^`]+)`', r'<code>\1</code>', escape(text))
    return re.sub(r'\*\*(.+?)\*\*', r'<b>\1</b>', text)
