"""Put configs and tools into the wheel; everything else about the package is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
# What users run and read: not what needs a checkout, such as the tests, experiments and benchmarks.
PATTERNS = (
    'configs/**/*.py',
    'configs/**/*.yml',
    'model-index.yml',
    'tools/*.py',
    'tools/renderers/**/*.py',
    'tools/dist_*.sh',
    'tools/slurm_train.sh',
    'tools/_launch.sh',
    'tools/_environment.sh',
)


class BuildWithMim(build_py):
    """Copy configs and tools into ``mmfct/.mim``, where mim and `mmfct.configs` look for them."""

    def run(self) -> None:
        """Build the package; an editable one finds them in the checkout."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / 'mmfct/.mim'
        shutil.rmtree(target, ignore_errors=True)  # an earlier build may have left files that are gone
        for pattern in PATTERNS:
            for source in sorted(ROOT.glob(pattern)):
                copy = target / source.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, copy)


setup(cmdclass={'build_py': BuildWithMim})
