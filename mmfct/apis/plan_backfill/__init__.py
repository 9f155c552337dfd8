"""Partial backfills: which items to recompute from their images first, and what that gains."""

from mmfct.apis.plan_backfill.plan import plan_backfill

__all__ = ['plan_backfill']
