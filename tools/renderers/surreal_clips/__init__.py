"""Rendered clips of a moving figure, which is made of capsules."""

from .data_set import render_surreal_clips, surreal_clip

__all__ = ['render_surreal_clips', 'surreal_clip']
