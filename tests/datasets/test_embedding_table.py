"""Tests of cached embeddings as a data set; this file is also the program of two ranks."""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModule
from mmengine.registry import DATASETS, MODELS, TRANSFORMS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import ConcatDataset, Subset

from mmfct.datasets import ClassSubset, EmbeddingTable, batch_collate, embedding_table_writer
from mmfct.retrieval import Gallery, GalleryWriter, is_complete
from mmfct.utils.launch import leave_ranks

SHARD_ROWS = 4


@DATASETS.register_module(force=True)
class Stripes(BaseDataset):
    """Image i holds the value 10 i everywhere and has label i modulo 3; a file may say how many there are."""

    METAINFO = dict(classes=('a', 'b', 'c'))

    def __init__(self, count: int = 7, data_root: str = '', **options):
        self.count = int((Path(data_root) / 'count').read_text()) if data_root else count
        super().__init__(data_root=data_root, serialize_data=False, **options)

    def load_data_list(self):
        return [dict(img_path=f'{i}.png', value=10.0 * i, gt_label=i % 3) for i in range(self.count)]


@TRANSFORMS.register_module(force=True)
class Jitter:
    """Adds a number from 0 to 1 from each of the generators that transforms draw from."""

    def __call__(self, results):
        offset = (random.random() + np.random.rand() + torch.rand(()).item()) / 3
        return dict(results, value=results['value'] + offset)


@TRANSFORMS.register_module(force=True)
class Pack:
    """Makes what mmpretrain's ``PackInputs`` makes."""

    def __call__(self, results):
        sample = SimpleNamespace(gt_label=torch.tensor([results['gt_label']]), sample_idx=results['sample_idx'])
        return dict(inputs=torch.full((3, 2, 2), results['value']), data_samples=sample)


@MODELS.register_module(force=True)
class Scale(BaseModule):
    """Multiplies an image by its one weight; counts images, and stops when told to."""

    images = 0
    stop_after = None

    def __init__(self, scale: float = 1.0, width: int = 3):
        super().__init__()
        self.width = width
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, images):
        Scale.images += len(images)
        if Scale.stop_after is not None and Scale.images > Scale.stop_after:
            raise KeyboardInterrupt
        return (self.scale * images[:, : self.width],)


def encoder(scale: float, width: int = 3, **entries) -> dict:
    pool = dict(type='mmfct.SideInfoNeck', in_channels=width, out_channels=width)
    return dict(backbone=dict(type='Scale', scale=scale, width=width), neck=pool) | entries


DATA = dict(type='Stripes', pipeline=[dict(type='Jitter'), dict(type='Pack')])
ENCODERS = dict(old=encoder(1.0), side=encoder(2.0, 2), new=encoder(-1.0))


def table(path, **options) -> EmbeddingTable:
    """An open table, computed if it was missing."""
    data = unopened(path, **options)
    data.full_init()
    return data


def unopened(path, **options) -> EmbeddingTable:
    return EmbeddingTable(str(path), **(dict(dataset=DATA, encoders=ENCODERS, num_views=3, batch_size=2) | options))


def contents(path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(path).iterdir()}


@pytest.fixture(autouse=True)
def several_shards(monkeypatch):
    monkeypatch.setattr(embedding_table_writer, '_SHARD_ROWS', SHARD_ROWS)
    monkeypatch.setattr(Scale, 'stop_after', None)


@pytest.fixture
def images_used(monkeypatch):
    """Function that returns how many images went through a backbone since it was last called."""
    monkeypatch.setattr(Scale, 'images', 0)

    def used() -> int:
        number, Scale.images = Scale.images, 0
        return number

    return used


def test_first_use_makes_the_table_and_the_second_reuses_it(tmp_path, images_used):
    first = table(tmp_path / 'table')
    # Three encoders, three views of seven images, and one image that tells the widths.
    assert images_used() == 3 * (3 * 7 + 1)
    made = contents(tmp_path / 'table')
    assert len(Gallery(tmp_path / 'table').shards) == 6
    second = table(tmp_path / 'table')
    assert images_used() == 0
    assert contents(tmp_path / 'table') == made
    assert first.roles == second.roles == ('old', 'side', 'new')
    assert len(first) == len(second) == 7


def test_constructing_a_table_touches_neither_disk_nor_networks(tmp_path, images_used):
    data = unopened(tmp_path / 'table')
    assert images_used() == 0 and not (tmp_path / 'table').exists()
    data.full_init()
    made = images_used()
    assert made > 0
    data.full_init()  # a second time does nothing
    assert images_used() == 0


@pytest.mark.parametrize('use', [len, lambda data: data[6], lambda data: data.__getitems__([6])])
def test_a_table_opens_itself_on_first_use(tmp_path, use):
    use(unopened(tmp_path / 'table'))
    assert is_complete(tmp_path / 'table')


def test_a_data_loader_config_opens_the_table(tmp_path):
    config = dict(type='mmfct.EmbeddingTable', path=str(tmp_path / 'table'), dataset=DATA, encoders=ENCODERS)
    sampler = dict(type='DefaultSampler', shuffle=False)
    loader = Runner.build_dataloader(dict(dataset=config, batch_size=4, sampler=sampler))
    assert is_complete(tmp_path / 'table') and loader.dataset.roles == ('old', 'side', 'new')
    assert loader.dataset.metainfo == dict(classes=('a', 'b', 'c'))


def test_configs_that_change_after_construction_do_not_matter(tmp_path):
    settings = dict(DATA)
    data = unopened(tmp_path / 'table', dataset=settings)
    settings['count'] = 3
    assert len(data) == 7


def test_rows_belong_to_their_image_and_view(tmp_path):
    gallery = table(tmp_path / 'table').gallery
    assert gallery.metadata['num_views'] == 3
    assert gallery.column('id').tolist() == list(range(7)) * 3  # by view, then by image
    assert gallery.column('label').tolist() == [i % 3 for i in range(7)] * 3
    old, side, new = (gallery.column(role) for role in ('old', 'side', 'new'))
    assert (old.shape, side.shape, new.shape) == ((21, 3), (21, 2), (21, 3))
    assert (old // 10).astype(int).tolist() == [[i] * 3 for i in range(7)] * 3
    # All roles see the same view of an image, and no view is like another.
    np.testing.assert_allclose(side, 2 * old[:, :2], rtol=1e-6)
    np.testing.assert_allclose(new, -old, rtol=1e-6)
    assert len(np.unique(old[:, 0] % 10)) == 21


def test_batches_hold_what_items_hold(tmp_path):
    data = table(tmp_path / 'table', num_views=1)
    indices = [5, 0, 3, 3]
    batch = data.__getitems__(indices)
    assert batch['inputs'].keys() == {'old', 'side', 'new'}
    assert batch['data_samples']['sample_idx'].tolist() == indices
    assert batch['data_samples']['gt_label'].tolist() == [2, 0, 0, 0]
    collated = batch_collate([data[index] for index in indices])
    for part, columns in batch.items():
        for name, values in columns.items():
            assert torch.equal(values, collated[part][name]), name
            assert values.dtype == collated[part][name].dtype == (torch.float32 if part == 'inputs' else torch.int64)
    assert batch_collate(batch) is batch


def test_views_are_drawn_at_random(tmp_path):
    data = table(tmp_path / 'table')
    stored = data.gallery.column('old')[:, 0].reshape(3, 7)
    drawn = np.stack([data.__getitems__(range(7))['inputs']['old'][:, 0].numpy() for _ in range(60)])
    for image in range(7):
        values, counts = np.unique(drawn[:, image], return_counts=True)
        np.testing.assert_array_equal(values, np.sort(stored[:, image]))
        assert counts.min() > 8  # a third of 60 each
    views = (drawn[:, None] == stored).argmax(axis=1)  # (draws, images)
    assert all(len(set(row)) > 1 for row in views[:3].tolist())  # images of a batch do not share one view


# Some wrappers pass whole batches on, and some ask for single items.
@pytest.mark.parametrize(
    'wrap', [lambda data: data, lambda data: Subset(data, range(7)), lambda data: ConcatDataset([data, data])]
)
def test_through_a_data_loader(tmp_path, wrap):
    data = table(tmp_path / 'table', num_views=1)
    loader = Runner.build_dataloader(
        dict(
            dataset=wrap(data),
            batch_size=4,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='mmfct.batch_collate'),
        )
    )
    batches = list(loader)
    assert torch.cat([batch['data_samples']['sample_idx'] for batch in batches])[:7].tolist() == list(range(7))
    assert batches[0]['inputs']['side'].shape == (4, 2)


def save_weights(path: Path, scale: float) -> str:
    torch.save(dict(state_dict={'backbone.scale': torch.tensor(scale)}), path)
    return str(path)


def test_other_weights_make_the_table_anew(tmp_path, images_used):
    checkpoint = save_weights(tmp_path / 'new.pth', 3.0)
    encoders = dict(ENCODERS, new=encoder(0.0, checkpoint=checkpoint))
    first = table(tmp_path / 'table', encoders=encoders).gallery.column('new')[:]
    images_used()
    save_weights(tmp_path / 'new.pth', 4.0)
    second = table(tmp_path / 'table', encoders=encoders).gallery.column('new')[:]
    assert images_used() > 0
    np.testing.assert_allclose(second, first * (4 / 3), rtol=1e-6)


def test_a_killed_removal_goes_on(tmp_path, monkeypatch):
    table(tmp_path / 'table')

    def die(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, 'rmdir', die)
    unlink = Path.unlink
    monkeypatch.setattr(
        Path, 'unlink', lambda path, **options: die(path) if 'new' in path.name else unlink(path, **options)
    )
    with pytest.raises(KeyboardInterrupt):
        table(tmp_path / 'table', seed=1)
    monkeypatch.undo()
    assert len(table(tmp_path / 'table', seed=1)) == 7


def test_the_same_weights_elsewhere_do_not(tmp_path, images_used):
    for name in ('new.pth', 'moved.pth'):
        checkpoint = save_weights(tmp_path / name, 3.0)
        encoders = dict(ENCODERS, new=encoder(0.0, checkpoint=checkpoint))
        table(tmp_path / 'table', encoders=encoders)
        used = images_used()
    assert used == 0


@pytest.mark.parametrize(
    'options',
    [
        dict(num_views=2),
        dict(seed=1),
        dict(dataset=dict(DATA, pipeline=[dict(type='Pack')])),
    ],
)
def test_other_settings_make_the_table_anew(tmp_path, images_used, options):
    before = table(tmp_path / 'table').gallery.column('old')[:]
    images_used()
    data = table(tmp_path / 'table', **options)
    assert images_used() > 0
    assert not np.array_equal(data.gallery.column('old'), before)
    assert len(data) == 7


TWO = dict(old=ENCODERS['old'], new=ENCODERS['new'])


@pytest.mark.parametrize(
    ('before', 'after', 'computed'),
    [
        (TWO, ENCODERS, 1),  # side-information is added
        (ENCODERS, TWO, 0),  # and removed
        (ENCODERS, dict(ENCODERS, new=encoder(5.0)), 1),
        (ENCODERS, dict(ENCODERS, old=encoder(5.0)), 1),
        (TWO, dict(old=TWO['new'], new=TWO['old']), 2),  # a role is not another one
    ],
)
@pytest.mark.parametrize('num_workers', [0, 1])
def test_columns_of_encoders_that_are_the_same_are_reused(
    tmp_path, monkeypatch, images_used, before, after, computed, num_workers
):
    monkeypatch.setattr(embedding_table_writer, '_SHARD_ROWS', 16)
    table(tmp_path / 'table', encoders=before, num_workers=num_workers)
    images_used()
    data = table(tmp_path / 'table', encoders=after, num_workers=num_workers)
    assert images_used() == computed * (3 * 7 + 1)
    assert data.roles == tuple(after)
    table(tmp_path / 'anew', encoders=after, num_workers=num_workers)
    assert contents(tmp_path / 'table') == contents(tmp_path / 'anew')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['anew', 'table']


def test_a_shared_side_is_another_column_beside_another_old_model(tmp_path, images_used):
    pool = dict(type='mmfct.SideInfoNeck', in_channels=3, out_channels=3)
    side = dict(shares='old', neck=pool)
    table(tmp_path / 'table', encoders=dict(TWO, side=side))
    images_used()
    other = dict(old=encoder(3.0), side=side, new=TWO['new'])
    gallery = table(tmp_path / 'table', encoders=other).gallery
    assert images_used() == 2 * (3 * 7 + 1)
    np.testing.assert_allclose(gallery.column('side'), gallery.column('old'))


@pytest.mark.parametrize('options', [dict(num_workers=1), dict(num_workers=2, batch_size=3)])
def test_views_that_another_loader_would_draw_are_not_mixed(tmp_path, monkeypatch, images_used, options):
    monkeypatch.setattr(embedding_table_writer, '_SHARD_ROWS', 32)
    table(tmp_path / 'table', encoders=TWO, num_workers=2)
    images_used()
    gallery = table(tmp_path / 'table', **options).gallery
    assert images_used() == 3 * (3 * 7 + 1)
    np.testing.assert_allclose(gallery.column('side'), 2 * gallery.column('old')[:, :2], rtol=1e-6)


@pytest.mark.parametrize('images', [0, 1, 10, 20])
@pytest.mark.parametrize('again', [ENCODERS, dict(ENCODERS, side=encoder(4.0, 2)), TWO])
def test_a_killed_reuse_goes_on(tmp_path, monkeypatch, images_used, images, again):
    table(tmp_path / 'table', encoders=TWO)
    images_used()
    monkeypatch.setattr(Scale, 'stop_after', images)
    with pytest.raises(KeyboardInterrupt):
        table(tmp_path / 'table')
    monkeypatch.setattr(Scale, 'stop_after', None)
    images_used()
    table(tmp_path / 'table', encoders=again)
    assert images_used() <= 3 * 7 + 1  # never old and new
    table(tmp_path / 'anew', encoders=again)
    assert contents(tmp_path / 'table') == contents(tmp_path / 'anew')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['anew', 'table']


def as_of_an_earlier_version(path: Path) -> None:
    """Take from a table what earlier versions did not write."""
    manifest = json.loads((path / 'manifest.json').read_text())
    for name in ('views', 'columns'):
        del manifest['metadata'][name]
    (path / 'manifest.json').write_text(json.dumps(manifest))


def test_tables_of_earlier_versions(tmp_path, images_used, monkeypatch):
    table(tmp_path / 'table')
    as_of_an_earlier_version(tmp_path / 'table')
    images_used()
    table(tmp_path / 'table')
    assert images_used() == 0  # taken as it is
    table(tmp_path / 'table', encoders=TWO)
    assert images_used() == 2 * (3 * 7 + 1)  # what its columns are made from is unknown
    monkeypatch.setattr(Scale, 'stop_after', 40)
    with pytest.raises(KeyboardInterrupt):
        table(tmp_path / 'half')
    as_of_an_earlier_version(tmp_path / 'half')
    monkeypatch.setattr(Scale, 'stop_after', None)
    table(tmp_path / 'half')
    table(tmp_path / 'whole')
    assert contents(tmp_path / 'half') == contents(tmp_path / 'whole')


def test_other_images_under_the_same_config_make_the_table_anew(tmp_path, images_used):
    data = dict(DATA, data_root=str(tmp_path))
    for count in (5, 6):
        (tmp_path / 'count').write_text(str(count))
        assert len(table(tmp_path / 'table', dataset=data)) == count
        assert images_used() == 3 * (3 * count + 1)


def test_images_that_were_replaced_make_the_table_anew(tmp_path, images_used, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the names lead to files
    Path('3.png').write_bytes(b'12')
    table(tmp_path / 'table')
    images_used()
    Path('3.png').write_bytes(b'34')
    table(tmp_path / 'table')
    assert images_used() == 0  # of one size, which is documented
    Path('3.png').write_bytes(b'345')
    table(tmp_path / 'table')
    assert images_used() == 3 * (3 * 7 + 1)


def test_images_in_memory_that_were_replaced_make_the_table_anew(tmp_path, images_used, monkeypatch):
    load = Stripes.load_data_list
    table(tmp_path / 'table')
    images_used()
    monkeypatch.setattr(Stripes, 'load_data_list', lambda self: [dict(info, value=2.0) for info in load(self)])
    table(tmp_path / 'table')
    assert images_used() > 0


def test_images_without_labels(tmp_path, monkeypatch):
    monkeypatch.setattr(Stripes, 'load_data_list', lambda self: [dict(value=1.0, gt_label=None)] * 3)
    monkeypatch.setattr(Pack, '__call__', lambda self, results: _pack_without_label(results))
    assert table(tmp_path / 'table')[0]['data_samples']['gt_label'] == -1


def _pack_without_label(results: dict) -> dict:
    return dict(
        inputs=torch.full((3, 2, 2), results['value']), data_samples=SimpleNamespace(sample_idx=results['sample_idx'])
    )


@pytest.mark.parametrize('options', [dict(batch_size=5), dict(num_workers=0)])
def test_how_the_table_is_computed_does_not_matter(tmp_path, images_used, options):
    table(tmp_path / 'table')
    images_used()
    table(tmp_path / 'table', **options)
    assert images_used() == 0
    table(tmp_path / 'other', **options)
    assert contents(tmp_path / 'other') == contents(tmp_path / 'table')


def test_a_type_in_the_config_of_the_encoders_is_allowed(tmp_path):
    assert len(table(tmp_path / 'table', encoders=dict(ENCODERS, type='mmfct.FrozenEncoders'))) == 7


@pytest.mark.parametrize('images', [0, 3, 20, 40, 62])
def test_a_killed_run_goes_on_where_it_stopped(tmp_path, monkeypatch, images_used, images):
    table(tmp_path / 'whole')
    total = images_used()
    monkeypatch.setattr(Scale, 'stop_after', images)
    with pytest.raises(KeyboardInterrupt):
        table(tmp_path / 'table')
    assert not is_complete(tmp_path / 'table')
    monkeypatch.setattr(Scale, 'stop_after', None)
    images_used()
    table(tmp_path / 'table')
    finished_shards = max(0, (images - 3) // (3 * SHARD_ROWS))
    assert images_used() == total - 3 * SHARD_ROWS * finished_shards
    assert contents(tmp_path / 'table') == contents(tmp_path / 'whole')


def test_a_killed_run_of_other_settings_is_started_anew(tmp_path, monkeypatch, images_used):
    monkeypatch.setattr(Scale, 'stop_after', 40)
    with pytest.raises(KeyboardInterrupt):
        table(tmp_path / 'table')
    monkeypatch.setattr(Scale, 'stop_after', None)
    table(tmp_path / 'table', seed=1)
    table(tmp_path / 'whole', seed=1)
    assert contents(tmp_path / 'table') == contents(tmp_path / 'whole')


def test_a_shard_that_is_gone_or_damaged_is_noticed(tmp_path):
    table(tmp_path / 'table')
    file = tmp_path / 'table' / 'new-00001.npy'
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ValueError, match='new-00001.npy must match its checksum.*remove the folder'):
        table(tmp_path / 'table')
    file.unlink()
    with pytest.raises(FileNotFoundError, match='new-00001.npy; .*remove the folder'):
        table(tmp_path / 'table')


def test_a_gallery_of_somebody_else_is_not_removed(tmp_path):
    writer = GalleryWriter(tmp_path / 'gallery', columns={'old': ('float32', 3)}, num_rows=2)
    writer.write_shard(0, {'old': np.ones((2, 3), np.float32)})
    writer.finish()
    before = contents(tmp_path / 'gallery')
    with pytest.raises(ValueError, match='`path` must be a new folder or an embedding table, got another gallery'):
        table(tmp_path / 'gallery')
    assert contents(tmp_path / 'gallery') == before


def test_other_files_in_the_folder_are_not_removed(tmp_path):
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(ValueError, match='`path` must be a new folder, an empty one or a gallery'):
        table(tmp_path)
    assert (tmp_path / 'notes.txt').read_text() == 'mine'


def test_making_the_table_leaves_the_random_state_of_the_training_alone(tmp_path):
    states = []
    for _ in range(2):  # the first makes the table, the second finds it
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        table(tmp_path / 'table')
        states.append((random.random(), np.random.rand(), torch.rand(()).item()))
    assert states[0] == states[1]


def test_configs_of_the_caller_are_left_alone(tmp_path):
    data, encoders = dict(DATA), {role: dict(cfg) for role, cfg in ENCODERS.items()}
    table(tmp_path / 'table', dataset=data, encoders=encoders)
    assert data == DATA and encoders == ENCODERS


def test_a_subset_keeps_the_ids_of_the_images(tmp_path):
    data = table(tmp_path / 'table', dataset=dict(type='mmfct.ClassSubset', dataset=DATA, classes=[2]))
    assert len(data) == 2
    assert data.__getitems__([0, 1])['data_samples']['sample_idx'].tolist() == [2, 5]
    assert ClassSubset(dict(DATA), classes=[2])[1]['data_samples'].sample_idx == 5


def test_an_empty_data_set(tmp_path):
    with pytest.raises(ValueError, match='the data set of the embedding table .*table.* is empty'):
        table(tmp_path / 'table', dataset=dict(DATA, count=0))
    assert not (tmp_path / 'table').exists()


def test_embeddings_that_are_not_finite(tmp_path):
    side = encoder(1.0, 2, checkpoint=save_weights(tmp_path / 'side.pth', float('nan')))
    encoders = dict(ENCODERS, side=side)
    with pytest.raises(ValueError, match='the side encoder returned NaN or infinite values for 1 of 1 images'):
        table(tmp_path / 'table', encoders=encoders)
    assert not is_complete(tmp_path / 'table')


@pytest.mark.parametrize('views', [0, -1])
def test_number_of_views(tmp_path, views):
    with pytest.raises(ValueError, match=f'`num_views` must be a positive integer, got {views}'):
        table(tmp_path / 'table', num_views=views)


def test_workers_load_the_images(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding_table_writer, '_SHARD_ROWS', 16)  # workers are started for every shard
    first = table(tmp_path / 'table', num_workers=2).gallery
    assert (first.column('old')[:, 0] // 10).astype(int).tolist() == list(range(7)) * 3
    assert first.column('id').tolist() == list(range(7)) * 3
    table(tmp_path / 'other', num_workers=2)
    assert contents(tmp_path / 'other') == contents(tmp_path / 'table')


def test_views_from_several_workers_and_shards_differ(tmp_path, monkeypatch):
    # With a seed of `shard + worker` the second worker would draw what the first one draws in the next shard.
    monkeypatch.setattr(embedding_table_writer, '_SHARD_ROWS', 4)
    gallery = table(tmp_path / 'table', num_workers=2, batch_size=2, num_views=8).gallery
    drawn = gallery.column('old')[:, 0] % 10  # what Jitter adds to the ten times of the image
    assert len(np.unique(drawn.round(5))) == len(drawn) == 56


def test_two_ranks_write_the_table_of_one(run_ranks, tmp_path):
    run_ranks(__file__, folder=tmp_path)
    table(tmp_path / 'one')
    assert contents(tmp_path / 'two') == contents(tmp_path / 'one')
    used = [int((tmp_path / f'rank{rank}').read_text()) for rank in range(2)]
    # Each rank computed every second of six shards (the last one has one row), and looked at one image.
    assert used == [3 * (3 * SHARD_ROWS + 1), 3 * (2 * SHARD_ROWS + 1 + 1)]


def write_on_this_rank(folder: str, rank: int) -> None:
    """Make the table as one of two ranks, and find it made afterwards."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    embedding_table_writer._SHARD_ROWS = SHARD_ROWS
    data = table(f'{folder}/two')
    (Path(folder) / f'rank{rank}').write_text(str(Scale.images))
    Scale.stop_after = 0
    assert len(table(f'{folder}/two')) == len(data) == 7
    leave_ranks()


if __name__ == '__main__':
    write_on_this_rank(sys.argv[1], 0 if os.fork() else 1)
