"""Score queries of any model on any gallery, and decide whether it is safe to switch models."""

from mmfct.apis.evaluate_compatibility.evaluate import evaluate_compatibility
from mmfct.apis.evaluate_compatibility.gate_rule import GateRule
from mmfct.apis.evaluate_compatibility.named_folders import named_folders

__all__ = ['GateRule', 'evaluate_compatibility', 'named_folders']
