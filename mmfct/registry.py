"""Registries of mmfct, children of mmengine's roots.

Nothing but ``mmengine.registry`` may be imported here: mmengine swallows an ``ImportError`` raised by this module
and the user would only see "X is not in the registry".
"""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODEL_WRAPPERS as MMENGINE_MODEL_WRAPPERS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

MODELS = Registry('model', parent=MMENGINE_MODELS, locations=['mmfct.models'])
DATASETS = Registry('dataset', parent=MMENGINE_DATASETS, locations=['mmfct.datasets'])
TRANSFORMS = Registry('transform', parent=MMENGINE_TRANSFORMS, locations=['mmfct.datasets'])
FUNCTIONS = Registry('function', parent=MMENGINE_FUNCTIONS, locations=['mmfct.datasets'])
METRICS = Registry('metric', parent=MMENGINE_METRICS, locations=['mmfct.evaluation'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, locations=['mmfct.engine'])
MODEL_WRAPPERS = Registry('model_wrapper', parent=MMENGINE_MODEL_WRAPPERS, locations=['mmfct.engine'])
