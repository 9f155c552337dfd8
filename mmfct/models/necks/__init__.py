"""Necks that make side-information."""

from .side_info_neck import SideInfoNeck

__all__ = ['SideInfoNeck']
