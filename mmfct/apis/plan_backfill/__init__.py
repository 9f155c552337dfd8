"""Partial backfills: which items to embed again from the images first, and what that buys."""

from mmfct.apis.plan_backfill.plan import plan_backfill

__all__ = ['plan_backfill']
