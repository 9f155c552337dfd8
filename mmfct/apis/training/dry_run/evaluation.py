"""One batch of a validation or test."""

from __future__ import annotations

import time

import torch
from mmengine.dist import get_world_size
from mmengine.runner import Runner, TestLoop, ValLoop

from mmfct.apis.training.dry_run.seconds import per_batch
from mmfct.engine.epochs import is_iterative
from mmfct.engine.hooks.annotation_hook import AnnotationHook


def evaluate_batch(runner: Runner, mode: str, image_seconds: float | None) -> float:
    """Run a batch through the model and the metrics.

    Args:
        runner: A runner whose model has weights.
        mode: ``'val'`` or ``'test'``.
        image_seconds: Seconds to load an image in one process; ``None`` where batches are not images.

    Returns:
        Seconds per batch, of loading and the model. Metrics are not timed: what they take of all data, one batch does
        not tell.
    """
    loop: ValLoop | TestLoop
    if mode == 'val':
        loop = runner.val_loop
    else:
        loop = runner._test_loop = runner.build_test_loop(runner._test_loop)
    runner.call_hook(f'before_{mode}')
    runner.call_hook(f'before_{mode}_epoch')
    runner.model.eval()
    loader = loop.dataloader
    started = time.perf_counter()
    batch = next(iter(loader))
    loading = time.perf_counter() - started
    loop.run_iter(0, batch)
    metrics = loop.evaluator.evaluate(min(len(loader.dataset), (loader.batch_size or 1) * get_world_size()))
    for hook in runner.hooks:  # of which some want a metric by its name, such as that of `save_best`
        if not isinstance(hook, AnnotationHook):  # it would take the batch for all images
            getattr(hook, f'after_{mode}_epoch')(runner, metrics=metrics)
    step = runner.model.val_step if mode == 'val' else runner.model.test_step
    with torch.no_grad():
        started = time.perf_counter()
        step(batch)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        compute = time.perf_counter() - started
    if image_seconds is not None:
        loading = image_seconds * (loader.batch_size or 1)
    return per_batch(compute, loading, loader.num_workers)


def count_validations(runner: Runner, first: int = 0) -> int:
    """Return how often a training will validate.

    Args:
        runner: A runner with a validation.
        first: Iterations that are done already.
    """
    if is_iterative(runner):
        done, length = first, runner.max_iters
    else:
        done, length = first // len(runner.train_dataloader), runner.max_epochs
    # As mmengine's loops do: every so often, and after the end.
    times = {*range(runner.val_interval, length, runner.val_interval), length}
    return sum(count > done and count >= runner.val_begin for count in times)
