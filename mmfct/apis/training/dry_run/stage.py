"""A stage of a training, and what a dry run finds out about it."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process

from mmfct.apis.training.dry_run.ranks import Ranks
from mmfct.utils.user_errors import is_ours


@dataclass(frozen=True)
class Cost:
    """What a stage costs.

    Args:
        images: Training images.
        iterations: Iterations to go.
        parameters: Parameters that are trained.
        step_seconds: Seconds per iteration, with loading.
        seconds: Seconds to go: iterations, tables of embeddings, the networks' part of validations and test.
        disk: Bytes to be written, by folder.
        memory: Peak of memory in bytes: of the GPU, or else of this process so far.
    """

    images: int
    iterations: int
    parameters: int
    step_seconds: float
    seconds: float
    disk: dict[Path, int]
    memory: int


@dataclass
class Stage:
    """A config that is trained.

    Args:
        name: Its file.
        config: The config with its options; ``None`` if it cannot be loaded.
        checkpoint: What it leaves for later stages; ``None`` for the last one.

    Attributes:
        state: What the dry run does with it.
        notes: What was found.
        warnings: What works, but is perhaps not meant.
        failures: What fails, by part of the stage.
        cost: Known once everything has worked.
    """

    name: str
    config: Config | None = None
    checkpoint: Path | None = None
    state: Literal['tried', 'finished', 'not tried'] = 'tried'
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    cost: Cost | None = None

    @contextlib.contextmanager
    def part(self, name: str, ranks: Ranks) -> Iterator[None]:
        """Note what fails in a part, on any rank, and go on with the next one.

        Args:
            name: Name of the part. If it has failed before, the first message is kept.
            ranks: Ranks of the job.
        """
        message = None
        try:
            yield
        except Exception as error:  # of the hosts and the user's code too: this is what a dry run is for
            message = describe(error)
            if not is_ours(error) and is_main_process():
                traceback.print_exception(error)
        message = ranks.agree(message)
        if message is not None:
            self.failures.setdefault(name, message)


def describe(error: Exception) -> str:
    """Say what an error means; one that is not ours comes with its type and place."""
    if isinstance(error, torch.OutOfMemoryError):
        return f'{str(error).splitlines()[0]} Make `batch_size` smaller, or use `--amp`'
    if isinstance(error, (OSError, ImportError, ValueError)) and is_ours(error):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f'{type(error).__name__}: {error} (in {place.filename}, line {place.lineno})'
