"""Is it safe to switch: how queries of any model find their matches in any gallery."""

from mmfct.apis.evaluate_compatibility.evaluate import evaluate_compatibility
from mmfct.apis.evaluate_compatibility.gate import GateRule
from mmfct.apis.evaluate_compatibility.named_folders import named_folders

__all__ = ['GateRule', 'evaluate_compatibility', 'named_folders']
