"""Rank the training labels by how suspicious they are, after a training with a weight per instance and task.

This is the command `mmfct suspects`; `--help` has examples.
"""

from mmfct.cli.suspects import main

if __name__ == '__main__':
    main()
