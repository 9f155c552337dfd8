"""Score queries of any model on any gallery, and decide whether it is safe to switch models."""

from mmfct.apis.evaluate_compatibility.evaluate import evaluate_compatibility
from mmfct.apis.evaluate_compatibility.gate_rule import GateRule
from mmfct.apis.evaluate_compatibility.named_columns import GALLERY, QUERY, column_of, named_columns
from mmfct.apis.evaluate_compatibility.named_folders import named_folders

__all__ = [
    'GALLERY',
    'QUERY',
    'GateRule',
    'column_of',
    'evaluate_compatibility',
    'named_columns',
    'named_folders',
]
