import numpy as np
import pytest

from mmfct.retrieval.gallery.description import Column


def test_column_knows_its_shape_dtype_and_file():
    column = Column('old', 'float16', 3)
    assert column.shape(5) == (5, 3)
    assert column.numpy_dtype == np.dtype('<f2')
    assert column.file_name(7) == 'old-00007.npy'
    assert Column('label', 'int64', None).shape(5) == (5,)


@pytest.mark.parametrize('name', ['../old', 'a/b', '', 'old-1', 'größe'])
def test_column_refuses_a_name_that_is_no_identifier(name):
    with pytest.raises(ValueError, match='must be an identifier, got'):
        Column(name, 'float32', 3)


@pytest.mark.parametrize('dtype', ['object', 'bfloat16', '>f4', '<U0', np.dtype('float32'), None])
def test_column_refuses_an_unknown_dtype(dtype):
    with pytest.raises(ValueError, match="`dtype` of column 'old' must be one of bool, .*got"):
        Column('old', dtype, 3)


@pytest.mark.parametrize('width', [0, -1, 2.0, True, '3'])
def test_column_refuses_a_width_that_is_no_count(width):
    with pytest.raises(ValueError, match='`width of old` must be a positive integer, got'):
        Column('old', 'float32', width)
