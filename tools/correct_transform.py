"""Put the correction that tools/plan_backfill.py has found into a transform file; then upgrade with the new file.

This is the command `mmfct correct`; `--help` has examples.
"""

from mmfct.cli.correct import main

if __name__ == '__main__':
    main()
