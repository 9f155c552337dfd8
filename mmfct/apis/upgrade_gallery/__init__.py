"""Upgrade galleries of an old model to the space of a new one, without images."""

from mmfct.apis.upgrade_gallery.estimate import estimate_upgrade
from mmfct.apis.upgrade_gallery.into_store import rollback_switch, upgrade_into_store
from mmfct.apis.upgrade_gallery.upgrade import upgrade_gallery

__all__ = ['estimate_upgrade', 'rollback_switch', 'upgrade_gallery', 'upgrade_into_store']
