#!/usr/bin/env bash
# Build the documentation; a warning, such as a link that leads nowhere, is an error:
#   bash tools/build_docs.sh [FOLDER]    (default: site)
#
# It needs the extra `docs`, but neither torch nor a host:
#   pip install -c constraints.txt mkdocs-material 'mkdocstrings[python]'
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"

if (($# > 1)); then
    echo 'usage: tools/build_docs.sh [FOLDER]' >&2
    exit 2
fi
folder=${1:-$ROOT/site}
[[ $folder == /* ]] || folder=$PWD/$folder

# An active environment may have the extra where that of the tests has not.
for python in "${MMFCT_PYTHON:-}" "$(environment_python)" python python3; do
    if [[ -n $python ]] && "$python" -c 'import material, mkdocs, mkdocstrings' 2>/dev/null; then
        cd "$ROOT"
        # It recommends another program on every start.
        export NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true
        exec "$python" -m mkdocs build --strict --clean --site-dir "$folder"
    fi
done
die "mkdocs-material and mkdocstrings are missing: pip install -c constraints.txt mkdocs-material 'mkdocstrings[python]'"
