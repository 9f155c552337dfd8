"""Optimisers of mmfct."""

from .instance_sgd import InstanceSGD

__all__ = ['InstanceSGD']
