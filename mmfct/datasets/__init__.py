"""Data sets of mmfct."""

from mmfct.datasets.batch_collate import batch_collate
from mmfct.datasets.class_subset import ClassSubset
from mmfct.datasets.digits import Digits
from mmfct.datasets.embedding_table import EmbeddingTable
from mmfct.datasets.grocery_store import GroceryStore
from mmfct.datasets.omniglot import Omniglot

__all__ = ['ClassSubset', 'Digits', 'EmbeddingTable', 'GroceryStore', 'Omniglot', 'batch_collate']
