"""Test a checkpoint on the test set of its config and write the report.

This is the command `mmfct test`; `--help` has examples.
"""

from mmfct.cli.test import main

if __name__ == '__main__':
    main()
