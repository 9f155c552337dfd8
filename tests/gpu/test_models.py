"""Heads, losses and weightings on a GPU, in full and in half precision, also where a step overflows."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from mmfct.instances.comparison import Comparison
from mmfct.instances.module import InstanceModule
from mmfct.models.losses.wrapped_loss import WrappedLoss
from mmfct.models.task_weightings import TaskWeighting
from mmfct.registry import MODELS

ROWS, DIMS, CLASSES = 12, 8, 4
FORMS = dict(seg='classification', depth='laplace')
WEIGHTINGS = Config.fromfile(Path(__file__).parents[2] / 'configs/_base_/task_weightings.py').weightings
CLASSIFIER = dict(checkpoint='CHECKPOINT', num_classes=CLASSES)
HEAD = dict(type='mmfct.TransformationHead', old_dims=DIMS, side_dims=DIMS, new_dims=DIMS, hidden_dims=16)
HEADS = {
    'regression': HEAD,
    'uncertainty': dict(HEAD, with_uncertainty=True),
    'class_loss': dict(HEAD, class_loss=dict(type='mmfct.FrozenClassifierLoss', label_smoothing=0.1, **CLASSIFIER)),
    'orthogonal': dict(HEAD, type='mmfct.OrthogonalAlignmentHead'),
}
CROSS_ENTROPY = dict(type='mmpretrain.CrossEntropyLoss')
MODULES = {
    **{name: dict(type='mmfct.EmbeddingRegressionLoss', distance=name) for name in ('mse', 'l1', 'cosine')},
    'frozen': dict(type='mmfct.FrozenClassifierLoss', **CLASSIFIER),
    'backward_compatible': dict(type='mmfct.BackwardCompatibleLoss', old_labels=[1, -1, 0, 2], **CLASSIFIER),
    'data_parameter': dict(type='mmfct.DataParameterLoss', task='cls', loss=CROSS_ENTROPY),
    'agreement': dict(type='mmfct.InstanceTaskWeightLoss', task='cls', loss=CROSS_ENTROPY),
    'gradient': dict(type='mmfct.InstanceTaskWeightLoss', task='cls', loss=CROSS_ENTROPY, gradient=True),
    **{f'weighting_{name}': dict(config, forms=FORMS) for name, config in WEIGHTINGS.items()},
}
MODULES['weighting_fixed']['weights'] = dict(seg=1.0, depth=0.5)


class Objective(BaseModel):
    """A linear layer, and a loss or a weighting of what it computes."""

    def __init__(self, module: dict) -> None:
        super().__init__()
        self.layer = nn.Linear(DIMS, DIMS)
        self.module = MODELS.build(module)
        if isinstance(self.module, TaskWeighting):
            self.module.set_epoch(0)

    def forward(self, inputs: Tensor, data_samples: dict, mode: str) -> dict[str, Tensor]:
        outputs, labels = self.layer(inputs), data_samples['labels']
        if isinstance(self.module, TaskWeighting):
            pairs = list(zip(outputs[:, :2].unbind(1), data_samples['targets'][:, :2].unbind(1), strict=True))
            losses = torch.stack([difference(*pair)[0] for pair in pairs], dim=1)
            needed = [[Comparison.of(difference, *pair) for pair in pairs]] if self.module.needs_comparisons else []
            return dict(loss=self.module(losses, torch.ones_like(losses, dtype=torch.bool), *needed)[0])
        if isinstance(self.module, WrappedLoss):
            return dict(loss=self.module(outputs[:, :CLASSES], labels))
        targets = data_samples['targets'] if hasattr(self.module, 'distance') else labels
        return dict(loss=self.module(outputs, targets).mean())


def difference(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Absolute errors (B,), and that all have a label."""
    return (outputs - targets).abs(), torch.ones_like(targets, dtype=torch.bool)


@pytest.fixture
def build(tmp_path) -> Callable[[str, torch.device], BaseModel]:
    """Function that builds a model by its name, always with the same weights."""
    for name in ('mmpretrain', 'pytorch_metric_learning', 'torchjd'):
        pytest.importorskip(name)
    init_default_scope('mmpretrain')
    checkpoint = str(tmp_path / 'classifier.pth')
    torch.save({'head.fc.weight': torch.randn(CLASSES, DIMS), 'head.fc.bias': torch.randn(CLASSES)}, checkpoint)

    def filled(config: Any) -> Any:
        if isinstance(config, dict):
            return {key: filled(value) for key, value in config.items()}
        return checkpoint if config == 'CHECKPOINT' else config

    def make(name: str, device: torch.device) -> BaseModel:
        torch.manual_seed(0)
        if name in HEADS:
            return MODELS.build(dict(type='mmfct.ForwardTransform', head=filled(HEADS[name]))).to(device)
        return Objective(filled(MODULES[name])).to(device)

    return make


@pytest.fixture
def batch() -> dict[str, Any]:
    """Inputs of both kinds of model, on the CPU as a data loader delivers them."""
    rows = {role: torch.randn(ROWS, DIMS) for role in ('old', 'side', 'new')}
    labels = torch.arange(ROWS) % CLASSES
    return dict(rows=rows, samples=dict(gt_label=labels, labels=labels, targets=rows['new']))


def step(model: BaseModel, batch: dict[str, Any], wrapper: OptimWrapper) -> tuple[float, dict[str, Tensor]]:
    """Take a step; return the loss, and the gradients by name."""
    inputs = batch['rows'] if not isinstance(model, Objective) else batch['rows']['old']
    for module in model.modules():
        if isinstance(module, InstanceModule) and module.instance_tasks:
            device = next(model.parameters()).device
            module.set_instances(torch.full((ROWS, len(module.instance_tasks)), 0.5, device=device), range(ROWS))
    losses = model.train().train_step(dict(inputs=inputs, data_samples=batch['samples']), wrapper)
    grads = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
    return float(losses['loss'].detach()), grads


def keep_gradients(wrapper: OptimWrapper) -> OptimWrapper:
    """Do not clear the gradients after a step, so that they can be looked at."""
    wrapper.zero_grad = lambda **_: None
    return wrapper


def in_half(model: BaseModel, dtype: str, **options: float) -> OptimWrapper:
    """An optimiser in half precision; ``options`` are those of the scale of the loss."""
    return AmpOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1), dtype=dtype, loss_scale=options)


def in_full(model: BaseModel) -> OptimWrapper:
    """An optimiser in float32."""
    return OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))


# Of the loss, and of the length of the difference of all gradients: several units in the last place of the type.
TOLERANCES = dict(float32=(1e-5, 1e-4), bfloat16=(0.03, 0.1), float16=(0.004, 0.015))


@pytest.mark.parametrize('dtype', TOLERANCES)
@pytest.mark.parametrize('name', [*HEADS, *MODULES])
def test_loss_and_gradients_are_those_of_the_cpu(device, build, batch, name, dtype):
    model = build(name, device)
    wrapper = in_full(model) if dtype == 'float32' else in_half(model, dtype, init_scale=1.0)
    loss, grads = step(model, batch, keep_gradients(wrapper))
    assert {value.device for value in grads.values()} == {device}
    assert {value.dtype for value in grads.values()} == {torch.float32}
    on_cpu = build(name, torch.device('cpu'))
    expected, exact = step(on_cpu, batch, keep_gradients(in_full(on_cpu)))
    tolerance, of_gradients = TOLERANCES[dtype]
    assert loss == pytest.approx(expected, rel=tolerance, abs=tolerance)
    assert grads.keys() == exact.keys()
    distance = sum((grads[key].cpu() - exact[key]).square().sum() for key in exact).sqrt()
    assert distance <= of_gradients * sum(value.square().sum() for value in exact.values()).sqrt()


@pytest.mark.parametrize('name', [*HEADS, *MODULES])
def test_a_step_that_overflows_changes_no_weight_and_the_next_one_does(device, build, batch, name):
    model = build(name, device)
    wrapper = in_half(model, 'float16', init_scale=2.0**100, backoff_factor=2.0**-100)
    learned = [key for key, _ in model.named_parameters() if not key.endswith('log_variance')]  # it finds its start
    before = {key: model.get_parameter(key).detach().clone() for key in learned}
    loss, _ = step(model, batch, wrapper)
    assert all(torch.equal(model.get_parameter(key), value) for key, value in before.items())
    step(model, batch, wrapper)
    assert not all(torch.equal(model.get_parameter(key), value) for key, value in before.items())
    assert math.isfinite(loss) and all(bool(value.isfinite().all()) for value in model.parameters())
