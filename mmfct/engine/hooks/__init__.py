"""Hooks for the hosts' runners."""

from .eval_mode_from_epoch_hook import EvalModeFromEpochHook

__all__ = ['EvalModeFromEpochHook']
