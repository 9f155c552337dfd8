"""Metric that compares old, new and upgraded embeddings by retrieval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from mmfct.evaluation.compatibility_report import DEFAULT_PAIRS, compatibility_table
from mmfct.evaluation.compatibility_scores import check_options, check_pairs, check_roles, score_pairs
from mmfct.evaluation.embedding_set import EmbeddingSet, concatenate, stack_samples
from mmfct.evaluation.gather import gather_over_ranks
from mmfct.registry import METRICS


@METRICS.register_module()
class CompatibilityMetric(BaseMetric):
    """CMC, mAP and update gain for pairs of embedding models, as the FCT paper reports them.

    Every image is embedded by several models, called roles: ``old``, ``new``, ``upgraded`` (the
    old embedding after the transformation) and any other. A pair ``query/gallery`` searches the
    embeddings of one role with those of another. Queries and gallery are the same images, and an
    image never finds itself, which is decided by ``sample_idx``.

    The results are ``{pair}_cmc{k}`` and ``{pair}_map`` as fractions, ``num_queries`` (images that
    share their class with another one; the others have nothing to find and do not count), and
    ``update_gain_cmc{k}`` and ``update_gain_map``: the share of the gap between old/old and
    new/new that new/upgraded recovers. A pair of roles with different widths cannot be compared
    and gives NaN.

    On several ranks each one gets all embeddings, since it needs the whole gallery, and scores its
    share of the queries.

    Attributes:
        embeddings: Role -> float32 tensor of shape (G, D) in the order of the data set, from the
            last evaluation; kept for plots until the next one starts. All roles the samples have,
            not only those in ``pairs``.
        labels: Class indices of shape (G,) that go with ``embeddings``.

    Args:
        pairs: Pairs of roles to report, each written ``query/gallery``.
        topk: The k of the CMC scores.
        distance: Distance of the search: ``l2`` (paper), ``cosine`` or ``inner``.
        chunk_size: Number of queries compared with the gallery at a time, which bounds the
            memory; ``None`` chooses it.
        collect_device: Where embeddings are kept and compared: ``cpu``, or ``gpu`` for the device
            of the model.
        prefix: Prefix of the results instead of ``compatibility``.

    Raises:
        ValueError: An argument breaks one of these rules.
    """

    default_prefix = 'compatibility'

    def __init__(
        self,
        pairs: Sequence[str] = DEFAULT_PAIRS,
        *,
        topk: Sequence[int] = (1, 5),
        distance: str = 'l2',
        chunk_size: int | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if collect_device not in ('cpu', 'gpu'):
            raise ValueError(f"`collect_device` must be 'cpu' or 'gpu', got {collect_device!r}")
        check_pairs(pairs)
        # Now, not after the whole data set has been embedded.
        check_options(topk, distance, chunk_size)
        self.pairs = tuple(pairs)
        self.topk = tuple(topk)
        self.distance = distance
        self.chunk_size = chunk_size
        self.embeddings: dict[str, Tensor] = {}
        self.labels = torch.zeros(0, dtype=torch.long)

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Store the embeddings of a batch as one block.

        Args:
            data_batch: Not used.
            data_samples: B samples with ``embeddings`` (role -> tensor of shape (D,)),
                ``gt_label`` and ``sample_idx``.

        Raises:
            KeyError: A sample lacks one of these.
            ValueError: A role of ``pairs`` is missing, or roles or widths change.
        """
        device = torch.device('cpu') if self.collect_device == 'cpu' else None
        block = stack_samples(data_samples, device)
        if not self.results:
            check_roles(self.pairs, block.embeddings)
            self.embeddings = {}  # not two evaluations in memory at once
            self.labels = self.labels.new_zeros(0)
        elif block.widths != self.results[0].widths:
            raise ValueError(
                '`embeddings` must have the same roles and widths in all batches, '
                f'got {self.results[0].widths!r} and {block.widths!r}'
            )
        self.results.append(block)

    def evaluate(self, size: int) -> dict[str, float]:
        """Score the embeddings of all ranks; log the table on the first one.

        Args:
            size: Number of samples in the data set; what a sampler added to it is dropped.

        Returns:
            The results, the same on every rank, with the prefix in their names.

        Raises:
            ValueError: There are no samples, an embedding is not finite, or a ``sample_idx``
                occurs twice.
        """
        local = concatenate(self.results) if self.results else None
        self.results.clear()
        images = gather_over_ranks(local, size)
        metrics = self.compute_metrics([images])
        self.embeddings, self.labels = images.embeddings, images.labels
        if is_main_process():
            title = f'{self.prefix}, {self.distance} distance, {metrics["num_queries"]} queries'
            print_log(f'{title}\n{compatibility_table(metrics, self.pairs)}', logger='current')
        return {f'{self.prefix}/{name}': value for name, value in metrics.items()}

    def compute_metrics(self, results: list[EmbeddingSet]) -> dict[str, float]:
        """Score embeddings that every rank has; see ``score_pairs``.

        Args:
            results: Blocks of embeddings, the same on every rank.

        Returns:
            The results without prefix, the same on every rank.
        """
        return score_pairs(
            concatenate(results),
            self.pairs,
            topk=self.topk,
            distance=self.distance,
            chunk_size=self.chunk_size,
        )
