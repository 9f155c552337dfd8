"""Build a FAISS index of a gallery and measure its recall.

This is the command `mmfct index`; `--help` has examples.
"""

from mmfct.cli.index import main

if __name__ == '__main__':
    main()
