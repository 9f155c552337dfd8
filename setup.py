"""Packaging of mmfct; the tested versions of everything below are in constraints.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r"__version__ = '(.+)'", (ROOT / 'mmfct/__init__.py').read_text())[1]
README = ROOT / 'README.md'

# The hosts are extras, never requirements: upstream and onedl install the same import packages,
# and a requirement on one family would lay it over the other. `mmfct.hosts` checks at run time.
HOSTS = {
    'onedl': ['onedl-mmengine>=0.10.8', 'onedl-mmcv>=2.3', 'onedl-mmpretrain>=1.3']
    + ['onedl-mmsegmentation>=1.4', 'opencv-python', 'torchvision'],
    # mmseg imports ftfy and regex but does not require them; mmengine imports pkg_resources, gone from setuptools 81.
    'openmmlab': ['mmengine>=0.10.7', 'mmcv==2.1.0', 'mmpretrain>=1.2', 'mmsegmentation>=1.2']
    + ['ftfy', 'opencv-python', 'regex', 'setuptools<81', 'torchvision'],
}

setup(
    name='mmfct',
    version=VERSION,
    description='Forward compatible training and instance-level task parameters for OpenMMLab',
    long_description=README.read_text(encoding='utf-8') if README.exists() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmfct', 'mmfct.*']),
    python_requires='>=3.10,<3.13',
    package_data={'mmfct': ['py.typed']},
    install_requires=['matplotlib', 'numba', 'numpy', 'packaging', 'pillow', 'safetensors', 'scikit-learn', 'scipy']
    + ['threadpoolctl', 'torch>=2.6'],
    extras_require=HOSTS
    | {
        'faiss': ['faiss-cpu'],
        'lancedb': ['lancedb', 'pyarrow'],
        'metric-learning': ['pytorch-metric-learning'],
        'onnx': ['onnx', 'onnxruntime'],
        'parquet': ['pyarrow'],
        'qdrant': ['qdrant-client'],
        'ray': ['ray[data]'],
        # Licensed for non-commercial research only, so no other extra and no script of tools/ may bring it along.
        'smpl': ['smplx'],
        'torchjd': ['torchjd'],
        'test': ['pytest', 'pytest-xdist', 'torchjd'],
        'dev': ['mypy', 'pre-commit', 'ruff'],
        # ruff lays out long signatures.
        'docs': ['mkdocs-material', 'mkdocstrings[python]', 'ruff'],
    },
)
