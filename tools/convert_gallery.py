"""Convert a gallery to Parquet; or Parquet, or vectors of any other store, to a gallery.

This is the command `mmfct convert`; `--help` has examples.
"""

from mmfct.cli.convert import main

if __name__ == '__main__':
    main()
