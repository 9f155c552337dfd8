"""Learn a transformation from stored embeddings: OLD vectors, and NEW vectors of a sample of the same items.

This is the command `mmfct learn`; `--help` has examples.
"""

from mmfct.cli.learn import main

if __name__ == '__main__':
    main()
