"""Measure classification with wrong labels and a learned temperature or log-variance per training image.

Every case trains `configs/itp/resnet10_<data>_noisy.py` once. Finished cases are skipped, so run the same command
again after an interruption. Prints two Markdown tables, mean ± standard deviation over the seeds: accuracy on right
test labels, and how well the wrong training labels are found.

The plain loss is that of `data_parameters` with all temperatures fixed at 1, which still tracks the loss of every
image: the mean loss of a plain training is the baseline for every other ranking.

Example:
    python tools/experiments/data_parameters.py digits --seeds 0 1 2
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from running import ROOT, experiment_parser, run_cases
from spread import spread

DATA = ('digits', 'omniglot')
HELD = dict(weighting='data_parameters', instance_lr=1e-12)
# Case: (title, options of the config; `suspects` is the case of a first pass)
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    'clean': ('right labels, plain loss', dict(HELD, corrupted=0.0)),
    'plain': ('plain loss', HELD),
    'data_parameters': ('a temperature per image', dict(weighting='data_parameters')),
    'itp': ('a weight per image by agreement', dict(weighting='itp')),
    'itp_second_pass': ('the same, a second pass', dict(weighting='itp', suspects='itp')),
    'itp_gradient': ('a log-variance per image', dict(weighting='itp_gradient')),
}
RANKINGS = {
    'rank': 'the rank among other predictions',
    'score': 'what training learned',
    'final_loss': 'the final loss',
    'mean_loss': 'the mean loss',
}


def run_case(data: str, case: str, seed: int, folder: Path, options: dict[str, Any]) -> str:
    """Train a case and rank its training labels, unless that is done."""
    import torch

    from mmfct.apis.find_corrupt_labels import find_corrupt_labels
    from mmfct.apis.training.options import TrainingOptions
    from mmfct.apis.training.train import train

    torch.set_num_threads(1)
    work_dir = folder / data / f'seed{seed}' / case
    if not (work_dir / 'suspects/detection.json').exists():
        config = str(ROOT / f'configs/itp/resnet10_{data}_noisy.py')
        cfg_options = dict(CASES[case][1], **options, seed=seed, log_level='WARNING')
        if 'suspects' in cfg_options:
            cfg_options['suspects'] = str(work_dir.with_name(cfg_options['suspects']) / 'suspects')
        train(config, TrainingOptions(work_dir=str(work_dir), cfg_options=dict(cfg_options)))
        find_corrupt_labels(config, str(work_dir / 'final.pth'), cfg_options=dict(cfg_options), top=0)
    return f'seed {seed}, {case}'


def tables(folder: Path, seeds: list[int]) -> str:
    """Return the tables of accuracy and of detection, from the results in ``folder``."""

    def read(case: str, name: str) -> list[dict]:
        return [json.loads((folder / f'seed{seed}' / case / name).read_text()) for seed in seeds]

    lines = ['| training | accuracy (%) |', '| --- | ---: |']
    for case, (title, _) in CASES.items():
        values = [metrics['accuracy/top1'] for metrics in read(case, 'metrics.json')]
        lines.append(f'| {title} | {spread(values)} |')
    lines += ['', '| training | wrong labels ranked by | AUROC | AP |', '| --- | --- | ---: | ---: |']
    for case, (title, _) in CASES.items():
        for name, ranking in RANKINGS.items():
            if case == 'clean' or (case == 'plain' and name == 'score'):
                continue  # no wrong label, or no parameter
            found = [detection['label']['rankings'][name] for detection in read(case, 'suspects/detection.json')]
            cells = ' | '.join(spread([scores[key] for scores in found], digits=3) for key in ('auroc', 'ap'))
            lines.append(f'| {title} | {ranking} | {cells} |')
    return '\n'.join(lines)


def main() -> None:
    """Run the measurement and print the tables."""
    parser = experiment_parser(__doc__, 'data_parameters', jobs='trainings to run in parallel, one thread each')
    parser.add_argument('data', choices=DATA, help='data set')
    parser.add_argument('--data-root', help="folder of Omniglot (default: the config's)")
    args = parser.parse_args()
    options = {} if args.data_root is None else dict(data_root=args.data_root)
    runs = [(args.data, case, seed, args.folder, options) for seed in args.seeds for case in CASES]
    for second in (False, True):  # only when every first pass has ranked its labels
        run_cases(run_case, [run for run in runs if ('suspects' in CASES[run[1]][1]) == second], args.jobs)
    print(f'\n{args.data}, seeds {args.seeds}\n\n{tables(args.folder / args.data, args.seeds)}')


if __name__ == '__main__':
    main()
