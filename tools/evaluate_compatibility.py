"""Score queries against galleries of old, upgraded and new models; with --gate, decide whether a switch is safe.

This is the command `mmfct evaluate`; `--help` has examples.
"""

import sys

from mmfct.cli.evaluate import main

if __name__ == '__main__':
    sys.exit(main())
