"""mmengine's Runner with a short console output and a log file of its own, which has everything."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner

# Their messages (configs, tables of hooks, compiler flags) go into the log file only.
_HOSTS = ('mmengine', 'mmcv', 'mmpretrain', 'mmseg')
_LINES = 10  # per training, of its progress; and as many of validations

_starts: Counter[str] = Counter()  # Runners of this process, by the second of their start


class QuietRunner(Runner):
    """A Runner that shows about a dozen lines per training on the console, with ``log_level='DEBUG'`` all of them."""

    _timestamp: str

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Set up processes, and a name that no other Runner of this process has.

        mmengine names loggers, visualizers and message hubs by the second, and hands out again what has the name:
        the second of two short trainings of a config would log into the first one's folder, and begin with its values.
        """
        super().setup_env(env_cfg)
        second = self._timestamp
        _starts[second] += 1
        if _starts[second] > 1:
            self._timestamp = f'{second}_{_starts[second]}'

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """Build the logger; the filter is there before the first message."""
        logger = super().build_logger(*args, **kwargs)
        quieten(logger, self)
        return logger

    def dump_config(self) -> None:
        """Leave the work directory alone: the config there belongs to the training whose weights are there.

        A test, or a training that never starts, would replace it. `write_config` writes it; the folder of logs has
        every config (``vis_data/config.py``).
        """

    def write_config(self) -> None:
        """Write the config into the work directory, as mmengine's Runner does when it is built."""
        super().dump_config()


def quieten(logger: MMLogger, runner: Runner) -> None:
    """Leave out of the console what hosts say beyond warnings and a few lines of progress, unless it is debugged."""
    for handler in logger.handlers:
        is_console = isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
        if is_console and handler.level > logging.DEBUG:
            handler.addFilter(_ConsoleFilter(runner))


class _ConsoleFilter(logging.Filter):
    """Pass what is not from a host, warnings, and progress of the training at most every tenth of it."""

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self._runner = runner
        self._shown: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            return 'deprecated' not in record.getMessage()  # of hosts, about themselves
        module, function = _origin()
        if module == 'mmengine.hooks.logger_hook':
            return function in ('after_train_iter', 'after_val_epoch') and self._is_due(record.getMessage(), function)
        return module.partition('.')[0] not in _HOSTS

    def _is_due(self, message: str, function: str) -> bool:
        if function == 'after_train_iter' and not message.startswith(('Epoch(train)', 'Iter(train)')):
            return False  # the name of the experiment
        share = _LINES * (self._runner.iter + 1) // max(1, self._runner.max_iters)
        if share <= self._shown.get(function, 0):
            return False
        self._shown[function] = share
        return True


def _origin() -> tuple[str, str]:
    """Return module and function that called the logger."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        module = frame.f_globals.get('__name__', '')
        if module != __name__ and not module.startswith(('logging', 'mmengine.logging')):
            return module, frame.f_code.co_name
        frame = frame.f_back
    return '', ''
