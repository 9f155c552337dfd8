"""Where the rows of a gallery are read from."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.options import SourceOptions


@pytest.fixture
def path(make_gallery):
    return make_gallery('g', 'm', np.eye(3))


def test_a_folder_of_shards(path):
    source = open_source(path)
    assert isinstance(source, Gallery) and source.fingerprint == Gallery(path).fingerprint


@pytest.mark.parametrize('name', ['g.parquet', 'folder'])
def test_parquet(path, name, tmp_path):
    pytest.importorskip('pyarrow')
    from mmfct.retrieval.parquet.convert import write_parquet
    from mmfct.retrieval.parquet.gallery import ParquetGallery

    source = open_source(write_parquet(Gallery(path), tmp_path / name))
    assert isinstance(source, ParquetGallery) and source.fingerprint == Gallery(path).fingerprint


def test_shards_are_not_read_when_a_gallery_is_opened(path):
    file = path / 'embedding-00000.npy'
    file.write_bytes(file.read_bytes()[:-1] + b'x')
    source = open_source(path)
    with pytest.raises(ValueError, match='must match its checksum'):
        source.verify_shard(0)


def test_neither(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'must be a folder with a manifest\.json'):
        open_source(tmp_path)


def test_what_is_said_of_a_gallery(path, tmp_path, capsys):
    for words in (dict(model='m'), dict(model='m', columns=VectorColumns(vector='v'))):
        assert isinstance(open_source(path, options=SourceOptions(**words)), Gallery)
    assert 'is a gallery, whose columns have fixed names: those that are given are not used' in capsys.readouterr().out
    noted = Provenance.from_metadata(Gallery(path).metadata)
    assert isinstance(open_source(path, provenance=noted, named_after_file=True), Gallery)
    others = (SourceOptions(model='n'), SourceOptions(model='m', fingerprint='e' * 64))
    for options in (*others, SourceOptions(provenance=Provenance(ModelIdentity('m', 'e' * 64)))):
        with pytest.raises(ValueError, match='notes that m .* made its vectors, got .*leave `--model` out'):
            open_source(path, options=options)
