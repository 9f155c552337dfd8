"""Find wrong labels of a training set after training with a weight per instance and task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope

from mmfct.apis.find_corrupt_labels.data import TrainingInstances
from mmfct.apis.find_corrupt_labels.exports import write_cleanlab_csv, write_fiftyone_csv, write_suspects_csv
from mmfct.apis.find_corrupt_labels.labels import label_kind
from mmfct.apis.find_corrupt_labels.learned_weights import LearnedWeights, read_learned_weights
from mmfct.apis.find_corrupt_labels.model import build_model, judge_labels, predict
from mmfct.apis.find_corrupt_labels.pictures import image_files
from mmfct.apis.find_corrupt_labels.plots import draw_detection
from mmfct.apis.find_corrupt_labels.ranking import Suspects, rank_suspects
from mmfct.apis.find_corrupt_labels.report import detection_table, measure_detection, write_detection
from mmfct.apis.find_corrupt_labels.sheet import draw_suspect_sheet
from mmfct.apis.find_corrupt_labels.truth import corruption_in_csv, corruption_of_wrappers
from mmfct.apis.training.config import load_config
from mmfct.hosts import import_host
from mmfct.utils.checkpoint import load_checkpoint


def find_corrupt_labels(
    filename: str,
    checkpoint: str,
    out: str | Path | None = None,
    *,
    cfg_options: dict[str, Any] | None = None,
    tasks: Sequence[str] | None = None,
    top: int = 20,
    corrupted: str | Path | None = None,
    device: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Rank the training labels of each task by suspicion; write tables, pictures and exports.

    A label is suspicious if the predictions of other images fit it as well as that of its own image. From how often
    they do (`estimate_wrong_labels`) follow the share of wrong labels, with an interval, and the probability of each.
    No held-out data and no further training are needed: the trained network runs over up to 400 of the training
    images and then over all, without augmentation, and over the first ``top`` suspects for the pictures.

    Writes ``suspects_<task>.csv``, ``suspects_<task>.png``, ``detection_<task>.png`` and ``cleanlab_<task>.csv`` for
    each task, and ``fiftyone.csv``, ``detection.json`` and ``detection.md`` for all, each atomically; and ``images/``
    where FiftyOne has no file to open.

    Args:
        filename: Config file of the training.
        checkpoint: A checkpoint of it; read with ``weights_only``.
        out: Folder of the files; ``None`` for ``suspects`` beside the checkpoint.
        cfg_options: Values by dotted key, see `load_config`; those that the training had.
        tasks: Tasks to rank; ``None`` for all.
        top: Number of suspects in each picture; 0 for no pictures.
        corrupted: CSV with columns ``file`` and ``task`` of the labels known to be wrong; ``None`` to take them from
            the data set, where it has an `mmfct.CorruptLabels`.
        device: Where the network runs; ``None`` for the accelerator, if there is one.

    Returns:
        What ``detection.json`` holds, by task: see `measure_detection`.

    Raises:
        FileNotFoundError: If a file is missing.
        ImportError: If the host of the config's default scope is missing; see `require_hosts`.
        ValueError: If the checkpoint has no table of instance parameters, one of another training set, or is of
            another model; a task is unknown; ``top`` is negative; or a file or task in ``corrupted`` is unknown.
    """
    if top < 0:
        raise ValueError(f'`top` must be at least 0, got {top!r}')
    config = load_config(filename, cfg_options)
    import_host(config.get('default_scope'))
    init_default_scope(config.get('default_scope', 'mmengine'))
    loaded = load_checkpoint(checkpoint)
    learned = read_learned_weights(loaded, checkpoint)
    chosen = _choose_tasks(learned, tasks)
    instances = TrainingInstances.of(config)
    _check_fingerprint(learned, instances, checkpoint)
    if corrupted is None:
        known = corruption_of_wrappers(instances, learned.tasks)
    else:
        known = corruption_in_csv(corrupted, instances, learned.tasks)
    model = build_model(config, loaded, checkpoint, device or get_device())
    judgement = judge_labels(model, instances, config, learned.tasks)
    ranking = [rank_suspects(task, learned, instances.files, judgement, known.get(task)) for task in chosen]
    folder = Path(checkpoint).parent / 'suspects' if out is None else Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    for suspects in ranking:
        write_suspects_csv(suspects, folder)
        write_cleanlab_csv(suspects, folder)
    write_fiftyone_csv(ranking, image_files(ranking, instances, config, model, top, folder), folder)
    detection = measure_detection(ranking)
    write_detection(detection, folder)
    for suspects in ranking:
        draw_detection(suspects, folder / f'detection_{suspects.task}.png')
    if top:
        _draw(ranking, instances, config, model, top, folder)
    print_log(f'suspicious labels\n{detection_table(detection)}\nwritten to {folder}', 'current')
    return detection


def _choose_tasks(learned: LearnedWeights, tasks: Sequence[str] | None) -> tuple[str, ...]:
    unknown = sorted(set(tasks or ()) - set(learned.tasks))
    if unknown:
        raise ValueError(f'`tasks` must be among those of the checkpoint, {list(learned.tasks)!r}, got {unknown!r}')
    return tuple(tasks or learned.tasks)


def _check_fingerprint(learned: LearnedWeights, instances: TrainingInstances, checkpoint: str) -> None:
    fingerprint = instances.keys.fingerprint
    if learned.fingerprint != fingerprint or len(learned.score) != len(instances.files):
        raise ValueError(
            f'checkpoint {checkpoint!r} is of another training set: its table has {len(learned.score)} instances and '
            f'fingerprint {learned.fingerprint}, the data set of the config {len(instances.files)} and {fingerprint}; '
            'give the config and the `--cfg-options` of the training'
        )


def _draw(
    ranking: Sequence[Suspects],
    instances: TrainingInstances,
    config: Config,
    model: BaseModel,
    top: int,
    folder: Path,
) -> None:
    """Draw the pictures; an image that is suspect in several tasks is predicted once."""
    rows = np.unique(np.concatenate([suspects.rows[:top] for suspects in ranking]))
    views = dict(zip(rows.tolist(), predict(model, instances.loader(config, rows)), strict=True))
    for suspects in ranking:
        path = folder / f'suspects_{suspects.task}.png'
        first = [views[row] for row in suspects.rows[:top].tolist()]
        kind = label_kind(model, suspects.task, first[0][1])
        draw_suspect_sheet(suspects, first, path, instances.metainfo, kind)
