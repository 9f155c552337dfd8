"""Compare old, new and upgraded embeddings by retrieval, as a metric of mmengine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from mmfct.evaluation.data_samples import (
    Roles,
    check_images,
    concatenate,
    gather_over_ranks,
    stack_samples,
    widths,
)
from mmfct.evaluation.groups import read_groups, with_groups
from mmfct.evaluation.pair import DEFAULT_PAIRS, Pair
from mmfct.evaluation.report import compatibility_table
from mmfct.evaluation.scores import TOPK, Scores, check_options, check_roles, score_roles
from mmfct.functional.retrieval_metrics import check_exclude
from mmfct.registry import METRICS


@METRICS.register_module()
class CompatibilityMetric(BaseMetric):
    """CMC, mAP and update gain for pairs of embedding models, as the FCT paper reports them.

    Every image is embedded by several models, called roles: ``old``, ``new``, ``upgraded`` (the old embedding after
    the transformation) and any other. A pair ``query/gallery`` searches the embeddings of one role with those of
    another. Queries and gallery are the same images, and an image never finds itself: ``sample_idx`` tells images
    apart. Images without a class (label -1) do not count, and the log says how many there are.

    The results are ``{pair}_cmc{k}`` and ``{pair}_map`` as fractions, ``num_queries`` (images that share their class
    with another one; the others have nothing to find and do not count), and ``update_gain_cmc{k}`` and
    ``update_gain_map``: the share of the gap between old/old and new/new that new/upgraded recovers, NaN if the new
    model is not better than the old one by more than the noise, see `Gap`. A pair of roles with different widths
    cannot be compared and gives NaN.

    On several ranks each one gets all embeddings, since it needs the whole gallery, and scores its share of the
    queries.

    Attributes:
        scores: What the last evaluation measured; empty before it ends.
        embeddings: Role -> float32 tensor of shape (G, D) in the order of the data set, from the last evaluation; kept
            for plots until the next one starts. All roles the samples have, not only those in ``pairs``.
        labels: Class indices of shape (G,) that go with ``embeddings``.

    Args:
        pairs: Pairs of roles to report, each written ``query/gallery``.
        topk: The k of the CMC scores.
        distance: Distance of the search: ``l2`` (paper), ``cosine`` or ``inner``.
        groups: Group, such as the camera, of each image, by ``sample_idx``: integers or strings, or a file of them
            (``.npy``, or text with a line for each image). Retrieval across groups; ``None`` for none.
        exclude: What groups leave out for a query: ``matches``, the images of its class *and* group, as person
            re-identification does, or ``all`` images of its group.
        chunk_size: Number of queries compared with the gallery at a time, which bounds the memory; ``None`` chooses
            it.
        collect_device: Where embeddings are kept and compared: ``cpu``, or ``gpu`` for the device of the model.
        prefix: Prefix of the results instead of ``compatibility``.

    Raises:
        ValueError: If an argument breaks one of these rules.
    """

    default_prefix = 'compatibility'

    def __init__(
        self,
        pairs: Sequence[str] = tuple(map(str, DEFAULT_PAIRS)),
        *,
        topk: Sequence[int] = TOPK,
        distance: str = 'l2',
        groups: str | Sequence[int] | Sequence[str] | None = None,
        exclude: str = 'matches',
        chunk_size: int | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if collect_device not in ('cpu', 'gpu'):
            raise ValueError(f"`collect_device` must be 'cpu' or 'gpu', got {collect_device!r}")
        if isinstance(pairs, str) or not pairs:
            raise ValueError(f"`pairs` must be a sequence like ('new/old', 'new/new'), got {pairs!r}")
        # Now, not after the whole data set has been embedded.
        check_options(topk, distance, chunk_size)
        check_exclude(exclude)
        self.pairs = tuple(Pair.parse(pair) for pair in pairs)
        self.topk = tuple(topk)
        self.distance = distance
        self.groups = None if groups is None else read_groups(groups)
        self.exclude = exclude
        self.chunk_size = chunk_size
        self.scores = Scores()
        self.embeddings: dict[str, Tensor] = {}
        self.labels = torch.zeros(0, dtype=torch.long)

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Store the embeddings of a batch.

        Args:
            data_batch: Not used.
            data_samples: B samples with ``embeddings`` (role -> tensor of shape (D,)), ``gt_label`` and
                ``sample_idx``.

        Raises:
            KeyError: If a sample lacks one of these.
            ValueError: If a role of ``pairs`` is missing, or roles or widths change.
        """
        device = torch.device('cpu') if self.collect_device == 'cpu' else None
        batch = stack_samples(data_samples, device)
        if not self.results:
            check_roles(self.pairs, batch)
            self.scores = Scores()
            self.embeddings = {}  # not two evaluations in memory at once
            self.labels = self.labels.new_zeros(0)
        elif widths(batch) != widths(self.results[0]):
            raise ValueError(
                '`embeddings` must have the same roles and widths in all batches, '
                f'got {widths(self.results[0])!r} and {widths(batch)!r}'
            )
        self.results.append(batch)

    def evaluate(self, size: int) -> dict[str, float]:
        """Score the embeddings of all ranks; log the table on the first one.

        Args:
            size: Number of samples in the data set; what a sampler added to it is dropped.

        Returns:
            The results, the same on every rank, with the prefix in their names.

        Raises:
            ValueError: If there are no samples, an embedding is not finite, or a ``sample_idx`` occurs twice.
        """
        local = concatenate(self.results) if self.results else None
        self.results.clear()
        images = gather_over_ranks(local, size)
        metrics = self.compute_metrics([images])
        self.embeddings = {role: items.embeddings for role, items in images.items()}
        self.labels = next(iter(images.values())).labels
        if is_main_process():
            title = f'{self.prefix}, {self.distance} distance, {self.scores.num_queries} queries'
            print_log(f'{title}\n{compatibility_table(self.scores)}', logger='current')
        return {f'{self.prefix}/{name}': value for name, value in metrics.items()}

    def compute_metrics(self, results: list[Roles]) -> dict[str, float]:
        """Score embeddings that every rank has; keep the scores, and return them under the names of the host.

        Args:
            results: Batches of embeddings, the same on every rank.

        Returns:
            The results without prefix, the same on every rank.
        """
        images = concatenate(results)
        check_images(images)
        if self.groups is not None:
            images = with_groups(images, self.groups)
        self.scores = score_roles(
            images,
            self.pairs,
            topk=self.topk,
            distance=self.distance,
            exclude=self.exclude,
            chunk_size=self.chunk_size,
        )
        return _flat(self.scores)


def _flat(scores: Scores) -> dict[str, float]:
    """Name every score by one string, as hosts need it for their logs and ``save_best``."""
    flat = {f'{pair}_{name}': mean for pair, entry in scores.pairs.items() for name, mean in entry.means.items()}
    flat['num_queries'] = scores.num_queries
    for gains in scores.gains.values():
        flat |= {f'update_gain_{name}': gain for name, gain in gains.items()}
    return flat
