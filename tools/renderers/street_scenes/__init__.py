"""Rendered street scenes: a small ray caster in numpy."""

from .data_set import render_street_scenes, street_scene

__all__ = ['render_street_scenes', 'street_scene']
