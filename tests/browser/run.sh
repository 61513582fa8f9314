#!/usr/bin/env bash
# Tests the web interface in Chromium: make test-browser ARGS='-k runs'
# Installs Debian's package if it is missing. PICTURES=DIRECTORY keeps the pictures of the documentation (make pictures).
# SCREENSHOTS=DIRECTORY keeps a picture of every page in both themes and two widths.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-$repository/.venv/bin/python}
. "$repository/tests/debian.sh"
install chromium chromium
export PATH PYTHONPATH=$repository
cd "$repository"
exec "$python" -m pytest -o python_files='check_*.py' -p no:cacheprovider tests/browser "$@"
