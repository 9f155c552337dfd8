"""Make a gallery: compute embeddings and side-information of the images of a data set or a folder.

This is the command `mmfct extract`; `--help` has examples.
"""

from mmfct.cli.extract import main

if __name__ == '__main__':
    main()
