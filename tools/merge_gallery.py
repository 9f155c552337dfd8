"""Merge the parts of a gallery that independent jobs have extracted.

This is the command `mmfct merge`; `--help` has examples.
"""

from mmfct.cli.merge import main

if __name__ == '__main__':
    main()
