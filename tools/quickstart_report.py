"""Put the results of tools/quickstart.sh on one page: an HTML file with its pictures inside, which works offline.

Example:
    python tools/quickstart_report.py work_dirs/resnet10_digits work_dirs/quickstart_itp work_dirs/quickstart.html
"""

from __future__ import annotations

import argparse

from mmfct.hosts import require_hosts


def main() -> None:
    """Write the page, and say where it is."""
    require_hosts('mmengine')
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('upgrade', help='work folder of the job that upgrades a gallery; it may have no results')
    parser.add_argument('labels', help='work folder of the job that finds wrong labels; it may have no results')
    parser.add_argument('out', help='HTML file to write')
    args = parser.parse_args()
    from mmfct.apis.quickstart_report import write_quickstart_report
    from mmfct.utils.user_errors import user_errors

    with user_errors():
        file = write_quickstart_report(args.upgrade, args.labels, args.out)
        print(f'Report: open {file.resolve()} in a browser')


if __name__ == '__main__':
    main()
