"""Export a trained model as TorchScript, with the signatures of the FCT reference.

This is the command `mmfct export-torchscript`; `--help` has examples.
"""

from mmfct.cli.export_torchscript import main

if __name__ == '__main__':
    main()
