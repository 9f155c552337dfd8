"""The devices of these tests: a GPU, and where there is none a pretended one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

import pytest
import torch

from .pretended_cuda import pretended_cuda


@pytest.fixture(scope='module', params=['pretended', pytest.param('cuda', marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """A GPU, on which the processes of the tests take turns, and without one a pretended one."""
    if request.param == 'pretended':
        with pretended_cuda():
            yield torch.device('cuda', 0)
        return
    if not torch.cuda.is_available():
        pytest.skip('needs a GPU that torch can use')
    worker = int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))
    chosen = torch.device('cuda', worker % torch.cuda.device_count())
    with torch.cuda.device(chosen), pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.backends.cudnn, 'allow_tf32', False)  # float32 that is worth comparing
        yield chosen


@pytest.fixture(scope='module')
def real(device: torch.device) -> bool:
    """Whether the device is one."""
    return torch.cuda.get_device_name(device) != 'pretended'


@pytest.fixture(scope='session')
def on_cpu() -> Callable[[], contextlib.AbstractContextManager]:
    """Function that makes a context in which mmengine and the tools choose the CPU."""

    @contextlib.contextmanager
    def context() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr('mmengine.device.utils.DEVICE', 'cpu')
            yield

    return context
