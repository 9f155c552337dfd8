"""Print and draw the nearest neighbours of images, or of an embedding set, in a gallery.

This is the command `mmfct search`; `--help` has examples.
"""

from mmfct.cli.search import main

if __name__ == '__main__':
    main()
