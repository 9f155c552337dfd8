"""Replace rows of an upgraded gallery by embeddings that were recomputed from the images.

This is the command `mmfct mix`; `--help` has examples.
"""

from mmfct.cli.mix import main

if __name__ == '__main__':
    main()
