"""Write a transform file as ONNX or TorchScript, for programs that run these.

This is the command `mmfct convert-transform`; `--help` has examples.
"""

from mmfct.cli.convert_transform import main

if __name__ == '__main__':
    main()
