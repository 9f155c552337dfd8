"""Append items to a gallery, replace them or remove them, without embedding the others again.

This is the command `mmfct extend`; `--help` has examples.
"""

from mmfct.cli.extend import main

if __name__ == '__main__':
    main()
