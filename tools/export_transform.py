"""Export a trained transformation as a transform file: self-contained, safetensors and JSON, no pickle.

This is the command `mmfct export`; `--help` has examples.
"""

from mmfct.cli.export import main

if __name__ == '__main__':
    main()
