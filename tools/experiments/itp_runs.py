"""What the measurements of instance-level task parameters share: cases, runs and tables."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from running import ROOT, experiment_parser
from spread import spread, way

RATES = (0.2, 0.4, 0.6)
# Title, key in metrics.json, factor, digits
Column = tuple[str, str, float, int]
SECOND_PASS = '_second_pass'  # end of the name of a case that starts from what that without it has found


def itp_parser(doc: str | None, name: str) -> argparse.ArgumentParser:
    """Return the parser of an experiment with ``--rates`` and ``--jobs``."""
    parser = experiment_parser(doc, name, jobs='trainings to run in parallel, one thread each')
    parser.add_argument(
        '--rates', type=float, nargs='*', default=RATES, help='shares of permuted labels (default: 0.2 0.4 0.6)'
    )
    return parser


def render(tool: str, folder: Path, *words: str) -> str:
    """Render the data of an experiment into its folder, unless they are there; return where they are."""
    data_root = str(folder / 'data')
    subprocess.run([sys.executable, str(ROOT / tool), data_root, *words], check=True)
    return data_root


def permuted_cases(
    config: str, rates: Sequence[float], tasks: Sequence[str], weightings: Sequence[str]
) -> dict[str, dict]:
    """Return the options of every case with permuted labels by its name.

    ``weightings`` are those of the config that are compared with uncertainty weighting; one that ends with
    `SECOND_PASS` comes after its first pass.
    """
    from mmfct.apis.training.config import load_config

    found: dict[str, dict] = {}
    for rate in rates:
        for task in tasks:
            corrupted = {f'corrupted_{task}': rate}
            label = f'{task}{round(100 * rate)}'
            found[f'{label}_uncertainty'] = dict(corrupted, weighting='uncertainty')
            for weighting in weightings:
                found[f'{label}_{weighting}'] = dict(corrupted, weighting=weighting.removesuffix(SECOND_PASS))
            epochs = round(load_config(config).epochs / (1 - rate))  # as many steps as with all instances
            found[f'{label}_oracle'] = dict(corrupted, weighting='uncertainty', only_clean=True, epochs=epochs)
    return found


def is_second_pass(name: str) -> bool:
    """Return whether a case needs what another has found."""
    return name.endswith(SECOND_PASS)


def run_case(config: str, work_dir: Path, options: dict, needed: Collection[str] = ()) -> None:
    """Train a case unless it is finished; with ITP on wrong labels, also rank the labels.

    Args:
        config: Config file.
        work_dir: Folder of the case, named after it.
        options: Options of the config.
        needed: Keys that the metrics of a finished case have.
    """
    import torch

    from mmfct.apis.find_corrupt_labels import find_corrupt_labels
    from mmfct.apis.training.options import TrainingOptions
    from mmfct.apis.training.train import train

    torch.set_num_threads(1)
    options = dict(options, log_level='WARNING')
    if is_second_pass(work_dir.name):
        options['suspects'] = str(work_dir.with_name(work_dir.name.removesuffix(SECOND_PASS)) / 'suspects')
    metrics = work_dir / 'metrics.json'
    finished = metrics.exists() and set(needed) <= read(metrics).keys()
    if not finished:
        train(config, TrainingOptions(work_dir=str(work_dir), cfg_options=dict(options)))
    if '_itp' in work_dir.name and not (finished and (work_dir / 'suspects/detection.json').exists()):
        find_corrupt_labels(config, str(work_dir / 'final.pth'), cfg_options=dict(options))


def permuted_tables(
    folder: Path,
    seeds: Sequence[int],
    rates: Sequence[float],
    goals: Mapping[str, str],
    columns: Sequence[Column],
    weightings: Sequence[str],
) -> list[str]:
    """Return the lines of a Markdown table for each task whose labels were permuted.

    ``goals`` has the score of each of these tasks that says how far ITP goes on the way from uncertainty weighting to
    the oracle.
    """
    titles, rule = head('share, weighting', columns)
    lines = []
    for task, goal in goals.items():
        lines += ['', f'{task} labels permuted, seeds {seeds}', '']
        lines += [f'{titles} way (%) | AUROC | wrong labels, estimated |', f'{rule} ---: | ---: | --- |']
        for rate in rates:
            label = f'{task}{round(100 * rate)}'
            for weighting in ('uncertainty', *weightings, 'oracle'):
                runs = [folder / f'seed{seed}' / f'{label}_{weighting}' for seed in seeds]
                distance = area = estimates = ''
                if weighting in weightings:
                    found = [read(run / 'suspects/detection.json')[task] for run in runs]
                    scores = [
                        [read(run.with_name(f'{label}_{name}') / 'metrics.json')[goal] for run in runs]
                        for name in ('uncertainty', weighting, 'oracle')
                    ]
                    distance = way(*scores)
                    area = spread([entry['rankings']['rank']['auroc'] for entry in found], digits=3)
                    estimates = '; '.join(entry['finding'] for entry in found)
                name = f'{rate:.0%} {weighting.replace("_", " ")}'
                lines.append(f'{row(name, runs, columns)} {distance} | {area} | {estimates} |')
    return lines


def head(first: str, columns: Sequence[Column]) -> tuple[str, str]:
    """Return the titles and the rule of a table; further columns can be appended to both."""
    titles = [first, *(title for title, *_ in columns)]
    return f'| {" | ".join(titles)} |', f'| --- |{" ---: |" * len(columns)}'


def row(name: str, runs: Sequence[Path], columns: Sequence[Column]) -> str:
    """Return a row of a table: mean and deviation over the runs; a score that one of them lacks is left out."""
    metrics = [read(run / 'metrics.json') for run in runs]
    cells = [
        spread([values[key] for values in metrics], factor, digits) if all(key in values for values in metrics) else ''
        for _, key, factor, digits in columns
    ]
    return f'| {" | ".join([name, *cells])} |'


def read(path: Path) -> dict:
    """Read a JSON file."""
    return json.loads(path.read_text())
