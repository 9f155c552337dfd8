"""Forward compatible training and instance-level task parameters for OpenMMLab."""

__version__ = '0.1.0'
