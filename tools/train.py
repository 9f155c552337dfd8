"""Train a config, after the prerequisites that it names.

This is the command `mmfct train`; `--help` has examples.
"""

from mmfct.cli.train import main

if __name__ == '__main__':
    main()
