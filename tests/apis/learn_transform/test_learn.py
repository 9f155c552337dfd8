"""Learning from stored vectors: the choice, the file, the report and the tool."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmfct.apis.learn_transform import LearnSettings, learn_from_sources, learn_transform
from mmfct.apis.learn_transform import learn as module
from mmfct.apis.learn_transform.report import first_sentences
from mmfct.apis.upgrade_gallery import upgrade_gallery
from mmfct.functional.neighbour_recall import nearest_rows
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.transform.apply import Transform

from .conftest import QUICK


@pytest.fixture
def few(monkeypatch):
    """Only a few candidates, for tests of what happens to them."""
    names = module.candidate_names

    def few(problem):
        return [name for name in names(problem) if name.split('+')[0] in ('procrustes', 'ridge', 'inflated')]

    monkeypatch.setattr(module, 'candidate_names', few)


def test_the_best_candidate_becomes_the_file(make_pairs, tmp_path, capsys):
    pairs = make_pairs()
    learned = learn_transform(pairs, tmp_path / 'h.safetensors', settings=QUICK)
    assert learned.chosen.endswith('+side')
    ranks = {name: candidate.scores.choice for name, candidate in learned.candidates.items() if candidate.complete}
    assert learned.chosen == max(ranks, key=ranks.get)
    transform = Transform(tmp_path / 'h.safetensors')
    description = transform.description
    assert (description.old.name, description.side.name, description.new.name) == ('old', 'side', 'new')
    assert description.training['method'] == learned.chosen and description.distance == 'cosine'
    assert description.quality['recall@10'] == learned.candidates[learned.chosen].scores.recalls[10].mean().item()
    upgraded = transform(pairs.old, pairs.side)
    found = nearest_rows(pairs.new, upgraded, 1)[:, 0]
    assert (found == torch.arange(300)).float().mean() > 0.9
    report = json.loads((tmp_path / 'h_report/learn.json').read_text())
    assert report['chosen'] == learned.chosen and report['candidates'].keys() == learned.candidates.keys()
    text = (tmp_path / 'h_report/learn.md').read_text()
    assert f'| **{learned.chosen}**' in text and '| new/new' in text and 'fct (one fold)' in text
    assert (tmp_path / 'h_report/learn.png').read_bytes()[:4] == b'\x89PNG'
    assert text.strip() in capsys.readouterr().out


@pytest.mark.usefixtures('few')
def test_scores_are_those_of_pairs_that_were_held_out(make_pairs, tmp_path):
    """With targets that nothing predicts, no candidate finds neighbours, whatever it learned by heart."""
    pairs = make_pairs()
    noise = torch.randn(300, 10, generator=torch.Generator().manual_seed(7))
    learned = learn_transform(replace(pairs, new=noise), tmp_path / 'h', settings=LearnSettings())
    for candidate in learned.candidates.values():
        assert candidate.scores.recalls[10].mean() < 0.3  # 10 of 59 others by chance
        assert candidate.scores.error > 0.9


@pytest.mark.usefixtures('few')
def test_a_method_that_was_asked_for(make_pairs, tmp_path):
    learned = learn_transform(make_pairs(), tmp_path / 'h', method='procrustes')
    assert Transform(tmp_path / 'h').description.side is None
    assert learned.asked and '`procrustes` was asked for' in (tmp_path / 'h_report/learn.md').read_text()
    with pytest.raises(ValueError, match='`method` must be one of procrustes, .*, mixture, got .linear.'):
        learn_transform(make_pairs(), tmp_path / 'g', method='linear')
    with pytest.raises(ValueError, match="`direction` must be one of gallery, query, got 'back'"):
        learn_transform(make_pairs(), tmp_path / 'g', direction='back')
    assert not (tmp_path / 'g').exists()


@pytest.mark.usefixtures('few')
def test_a_mixture_of_two_like_candidates_is_judged_as_either(make_pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(module, 'mixture_weights', lambda predictions, targets: dict(ridge=0.4, inflated=0.6))
    pairs = make_pairs(with_side=False, distance='l2')
    turn = torch.randn(12, 10, generator=torch.Generator().manual_seed(0))
    learned = learn_transform(replace(pairs, new=pairs.old @ turn), tmp_path / 'h', settings=QUICK)
    mixture, ridge = (learned.candidates[name].scores for name in ('mixture', 'ridge'))
    assert mixture.error == pytest.approx(ridge.error, abs=1e-4) and mixture.error < 1e-3


def test_a_mixture_that_does_not_help_is_no_method(make_pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(module, 'mixture_weights', lambda predictions, targets: dict(ridge=1.0))
    with pytest.raises(ValueError, match="`method` must not be 'mixture' where no two candidates complement"):
        learn_transform(make_pairs(), tmp_path / 'h', method='mixture')


@pytest.mark.usefixtures('few')
def test_queries_find_their_way_back(make_pairs, tmp_path):
    pairs = make_pairs(with_side=False)
    learned = learn_transform(pairs, tmp_path / 'a', direction='query')
    adapter = Transform(tmp_path / 'a')
    assert (adapter.description.old.name, adapter.description.new.name) == ('new', 'old')
    assert adapter.description.training['direction'] == 'query'
    found = nearest_rows(adapter(pairs.new), pairs.old, 1)[:, 0]
    assert (found == torch.arange(300)).float().mean() > 0.85
    assert 'new queries mapped into the old space' in (tmp_path / 'a_report/learn.md').read_text()
    assert learned.candidates[learned.chosen].scores.recalls[10].mean() > 0.4


@pytest.mark.usefixtures('few')
def test_a_new_model_that_is_no_better_is_said_first(make_pairs, tmp_path):
    pairs = make_pairs()
    worse = replace(pairs, new=pairs.new + 3 * torch.randn(300, 10, generator=torch.Generator().manual_seed(3)))
    learn_transform(worse, tmp_path / 'h')
    assert (tmp_path / 'h_report/learn.md').read_text().startswith('**The new model itself is not clearly better')
    learn_transform(pairs, tmp_path / 'h')
    assert 'not clearly better' not in (tmp_path / 'h_report/learn.md').read_text()


@pytest.fixture
def files(make_pairs, tmp_path) -> dict[str, str]:
    """Vectors as other programs store them: all old ones with side-information, and a sample of the new ones."""
    pairs = make_pairs(300)
    paths = {role: str(tmp_path / f'{role}.npy') for role in ('old', 'new', 'side')}
    for role, path in paths.items():
        rows = slice(None, None, 2) if role == 'new' else slice(None)
        np.save(path, getattr(pairs, role)[rows].numpy())
        (tmp_path / f'{role}.ids.txt').write_text('\n'.join(pairs.ids[rows]) + '\n')
    return paths


@pytest.mark.usefixtures('few')
def test_from_files_to_an_upgraded_gallery(files, make_pairs, tmp_path):
    models = dict(old='ada-002', new='embed-3')
    out = str(tmp_path / 'h.safetensors')
    learned = learn_from_sources(files | dict(side=None), out, models=models)
    assert len(learned.pairs) == 150 and learned.pairs.distance == 'cosine'
    options = SourceOptions(model='ada-002', distance='l2')
    upgraded = upgrade_gallery(files['old'], [out], str(tmp_path / 'up'), options=options)
    assert upgraded.metadata['embedding_model']['name'] == 'embed-3' and upgraded.metadata['distance'] == 'cosine'
    expected = Transform(out)(make_pairs(300).old)
    np.testing.assert_allclose(upgraded.column('embedding'), expected, atol=1e-6)
    # Vectors that somebody normalised, in another order of dimensions, or of another model.
    with pytest.raises(ValueError, match='upgrades embeddings of ada-002, got a gallery with those of other'):
        upgrade_gallery(
            files['old'], [out], str(tmp_path / 'no'), options=SourceOptions(model='other', distance='cosine')
        )
    rows = np.load(files['old'])
    np.save(files['old'], np.ascontiguousarray(rows[:, ::-1]) * 5)
    with pytest.raises(ValueError, match='embeddings of .*old.npy, which .*safetensors transforms, vary in'):
        upgrade_gallery(files['old'], [out], str(tmp_path / 'no'), options=options)
    assert not (tmp_path / 'no').exists()


@pytest.mark.usefixtures('few')
def test_side_information_of_its_own_and_settings_of_a_config(files, tmp_path):
    (tmp_path / 'learn.py').write_text('learn = dict(rank=2, folds=3, seed=5)')
    learned = learn_from_sources(files, str(tmp_path / 'h'), config=str(tmp_path / 'learn.py'))
    training = Transform(tmp_path / 'h').description.training
    assert training['settings']['rank'] == 2 and training['settings']['seed'] == 5
    assert learned.pairs.models['side'].name == 'side'
    with pytest.raises(FileNotFoundError, match='config .*missing.py. does not exist'):
        learn_from_sources(files, str(tmp_path / 'g'), config=str(tmp_path / 'missing.py'))
    (tmp_path / 'learn.py').write_text('lern = dict(rank=2)')
    with pytest.raises(ValueError, match=r'must have an entry `learn = dict\(...\)`, got None'):
        learn_from_sources(files, str(tmp_path / 'g'), config=str(tmp_path / 'learn.py'))


def test_the_config_of_every_knob_has_the_defaults():
    path = Path(__file__).parents[3] / 'configs/_base_/stored_vectors.py'
    assert LearnSettings.from_config(Config.fromfile(str(path)).learn) == LearnSettings()


@pytest.mark.usefixtures('few')
def test_normalised_vectors(files, tmp_path):
    kwargs = dict(models=dict(old='o', new='n'), distance='l2')
    learn_from_sources(files | dict(side=None), str(tmp_path / 'raw'), **kwargs)
    learn_from_sources(files | dict(side=None), str(tmp_path / 'unit'), input_normalised=True, **kwargs)
    rows = np.load(files['old'])
    np.save(files['old'], rows / np.linalg.norm(rows, axis=1, keepdims=True))
    options = SourceOptions(model='o', distance='l2')
    with pytest.raises(ValueError, match='length 1, .* somebody normalised them, .* learn .* `--input-normalised`'):
        upgrade_gallery(files['old'], [str(tmp_path / 'raw')], str(tmp_path / 'no'), options=options)
    upgraded = upgrade_gallery(files['old'], [str(tmp_path / 'unit')], str(tmp_path / 'up'), options=options)
    np.testing.assert_allclose(
        upgraded.column('embedding'), Transform(tmp_path / 'unit')(torch.from_numpy(rows)), atol=1e-4
    )


def test_another_column_of_ids_is_asked_for(make_pairs, tmp_path):
    pyarrow = pytest.importorskip('pyarrow')
    from pyarrow import parquet

    pairs = make_pairs(150)
    for role, name in (('old', 'sku'), ('new', 'key')):
        table = pyarrow.table({name: pairs.ids.tolist(), 'embedding': getattr(pairs, role).tolist()})
        parquet.write_table(table, tmp_path / f'{role}.parquet')
    sources = {role: str(tmp_path / f'{role}.parquet') for role in ('old', 'new')}
    with pytest.raises(ValueError, match="must have the id column 'sku', .* `--new-id-column` names the ids of NEW"):
        learn_from_sources(sources, str(tmp_path / 'h'), columns=VectorColumns(id='sku'))


@pytest.mark.usefixtures('few')
def test_tool(files, tmp_path, run_tool, capsys):
    words = [files['old'], files['new'], '--out', str(tmp_path / 'h.safetensors')]
    models = ['--old-model', 'a', '--new-model', 'b', '--side', files['side'], '--side-model', 'c']
    assert run_tool('learn_transform.py', *words, *models, '--distance', 'l2') == 0
    out = capsys.readouterr().out
    assert 'learned from 150 pairs' in out and 'a -> b' in out
    assert Transform(tmp_path / 'h.safetensors').description.distance == 'l2'
    assert run_tool('learn_transform.py', *words, '--method', 'best') == 2
    assert 'error: `method` must be one of' in capsys.readouterr().err


@pytest.mark.usefixtures('few')
def test_nothing_gained_is_said_first(make_pairs, tmp_path):
    """A new model that is the old one, turned, and ids that name other items in OLD and NEW."""
    pairs = make_pairs(150, with_side=False)
    turned = pairs.old @ torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(0)))[0]
    learned = learn_transform(replace(pairs, new=turned, labels=None), tmp_path / 'h.safetensors', settings=QUICK)
    text = (tmp_path / 'h_report/learn.md').read_text()
    assert text.startswith('**The upgrade is not clearly better than the gallery of today**: recall@10')
    assert 'Scores are those of 150 held-out pairs in 3 parts: each is searched among the 49 others of its' in text
    assert first_sentences(replace(learned, direction='query')) == []  # an adapter costs accuracy
    chosen = learned.candidates[learned.chosen]
    by_chance = {10: torch.rand(150, generator=torch.Generator().manual_seed(0)) * 20 / 49}
    scores = replace(chosen.scores, recalls=by_chance)
    (first,) = first_sentences(replace(learned, candidates={learned.chosen: replace(chosen, scores=scores)}))
    assert first.startswith('**Nothing was learned**') and 'and chance 20.41 %. Do the ids name the same' in first
    assert Transform(tmp_path / 'h.safetensors').to_json()['learned_from']['items'] == 150
