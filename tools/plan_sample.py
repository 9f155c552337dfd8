"""Choose which items of a gallery to embed with a new model, to learn a transformation from them.

This is the command `mmfct plan-sample`; `--help` has examples.
"""

from mmfct.cli.plan_sample import main

if __name__ == '__main__':
    main()
