"""Hooks of mmfct and what a launcher needs."""

from mmfct.engine.hooks import EvalModeFromEpochHook

__all__ = ['EvalModeFromEpochHook']
