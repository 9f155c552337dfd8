"""Galleries from images, and from galleries of an older model."""

from .estimate import estimate_upgrade
from .export import export_transform
from .extract import extract_gallery
from .interruption import resumable
from .upgrade import upgrade_gallery

__all__ = ['estimate_upgrade', 'export_transform', 'extract_gallery', 'resumable', 'upgrade_gallery']
