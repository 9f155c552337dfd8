"""Run the command `mmfct` where its script is not installed: ``python -m mmfct.cli``."""

import sys

from mmfct.cli import main

if __name__ == '__main__':
    sys.exit(main())
