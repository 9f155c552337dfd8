"""Rank the items of an upgraded gallery by how urgently to re-embed them from the images.

This is the command `mmfct plan-backfill`; `--help` has examples.
"""

from mmfct.cli.plan_backfill import main

if __name__ == '__main__':
    main()
