"""Upgrade the gallery of an old model to a new model, without reading an image.

This is the command `mmfct upgrade`; `--help` has examples.
"""

from mmfct.cli.upgrade import main

if __name__ == '__main__':
    main()
