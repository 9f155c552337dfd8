"""Try a training and all of its prerequisites in minutes: a few steps of each, and nothing is written."""

from mmfct.apis.training.dry_run.report import dry_run_report
from mmfct.apis.training.dry_run.run import dry_run

__all__ = ['dry_run', 'dry_run_report']
