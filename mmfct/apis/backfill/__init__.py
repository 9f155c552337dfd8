"""Partial upgrades: which items to embed again from the images first, and what that buys."""

from mmfct.apis.backfill.mix import mix_galleries
from mmfct.apis.backfill.plan import plan_backfill

__all__ = ['mix_galleries', 'plan_backfill']
