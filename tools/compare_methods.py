"""Compare ways to upgrade a gallery: linear maps, FCT, FastFill, lambda-Orthogonality and backward-compatible models.

This is the command `mmfct compare`; `--help` has examples.
"""

from mmfct.cli.compare import main

if __name__ == '__main__':
    main()
