"""Necks of encoders and for side-information."""

from mmfct.models.necks.last_output import LastOutput
from mmfct.models.necks.side_info_neck import SideInfoNeck

__all__ = ['LastOutput', 'SideInfoNeck']
