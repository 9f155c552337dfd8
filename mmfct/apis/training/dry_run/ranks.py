"""All ranks of a job hear of what fails on one of them."""

from __future__ import annotations

from datetime import timedelta

import torch
from mmengine import dist

# How long a rank whose step failed waits for the others, which may be in the middle of theirs.
_PATIENCE = timedelta(minutes=5)


class Ranks:
    """A group of all ranks beside that of the training, whose collectives a failure may have cut short.

    Every rank must make it at the same point.

    Args:
        patience: How long ranks wait for each other.
    """

    def __init__(self, patience: timedelta = _PATIENCE) -> None:
        several = dist.get_world_size() > 1
        self._group = torch.distributed.new_group(backend='gloo', timeout=patience) if several else None

    def agree(self, message: str | None) -> str | None:
        """Return what has failed, the same on every rank; ``None`` if nothing has.

        Args:
            message: What has failed on this rank, or ``None``.

        Raises:
            RuntimeError: If the other ranks do not arrive, since they wait for this one in a collective of the
                training: then the launcher must end the job.
        """
        if self._group is None:
            return message
        try:
            messages = dist.all_gather_object(message, self._group)
        except RuntimeError as error:
            raise RuntimeError(
                f'the ranks do not agree; what failed on rank {dist.get_rank()}: {message or "nothing"}'
            ) from error
        failed = {rank: text for rank, text in enumerate(messages) if text is not None}
        if not failed or len(failed) == len(messages):
            return messages[0]
        rank, text = next(iter(failed.items()))
        return f'{text} (on rank {rank}; {len(messages) - len(failed)} other ranks went on)'
