"""Necks for side-information."""

from mmfct.models.necks.side_info_neck import SideInfoNeck

__all__ = ['SideInfoNeck']
