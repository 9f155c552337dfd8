"""The model index lists every config, with what its config says and the page of results reports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
INDEX = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
METAFILES = {file: yaml.safe_load((ROOT / file).read_text()) for file in INDEX}
MODELS = [model for metafile in METAFILES.values() for model in metafile['Models']]


def test_every_folder_of_configs_is_in_the_index():
    folders = {path.parent for path in ROOT.glob('configs/[!_]*/*.py')}
    assert folders == {(ROOT / file).parent for file in INDEX}
    assert all(Path(file).name == 'metafile.yml' for file in INDEX)


@pytest.mark.parametrize('file', INDEX)
def test_every_config_is_listed_once(file):
    listed = [model['Config'] for model in METAFILES[file]['Models']]
    folder = (ROOT / file).parent
    assert sorted(listed) == sorted(str(path.relative_to(ROOT)) for path in folder.glob('*.py'))


@pytest.mark.parametrize('file', INDEX)
def test_collections_have_a_readme_and_models(file):
    (collection,) = METAFILES[file]['Collections']
    assert (ROOT / collection['README']).parent == (ROOT / file).parent
    assert (ROOT / collection['README']).is_file() and collection['Paper']['URL'].startswith('https://arxiv.org/abs/')
    assert {model['In Collection'] for model in METAFILES[file]['Models']} == {collection['Name']}


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model['Name'])
def test_metadata_are_those_of_the_config(model):
    config = Config.fromfile(ROOT / model['Config'])
    assert model['Name'] == Path(model['Config']).stem
    batch_size = config.get('auto_scale_lr', {}).get('base_batch_size', config.train_dataloader.batch_size)
    schedule = config.train_cfg
    length = dict(Iterations=schedule.max_iters) if 'max_iters' in schedule else dict(Epochs=schedule.max_epochs)
    expected = length | {'Batch Size': batch_size}
    assert {key: model['Metadata'][key] for key in expected} == expected


@pytest.mark.parametrize('model', [model for model in MODELS if model['Results']], ids=lambda model: model['Name'])
def test_results_stand_together_in_a_row_of_the_page(model):
    pages = ROOT.glob(f'docs/results/{Path(model["Config"]).parent.name}*.md')
    rows = [row for page in pages for row in table_rows(page.read_text())]
    for result in model['Results']:
        wanted = {name.lower().removeprefix('top 1 '): str(value) for name, value in result['Metrics'].items()}
        assert any(wanted.items() <= row.items() for row in rows), wanted


def table_rows(text: str) -> Iterator[dict[str, str]]:
    """Each row of the tables of a page: the mean in every column, by title without its unit."""
    titles: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip('|').split('|')] if line.startswith('|') else []
        if not cells:
            titles = []
        elif not titles:
            titles = [re.sub(r' \(.*\)', '', cell).lower() for cell in cells]
        else:
            yield {title: cell.split(' ± ')[0] for title, cell in zip(titles, cells, strict=True)}
