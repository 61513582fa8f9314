#!/usr/bin/env bash
# Tests the configurations of deploy/proxies with real proxies in front of a real service: make test-proxies
#
# Uses nginx and Caddy of this machine, or those of Debian's packages, which are unpacked and not installed, so no service is
# started. WORK=DIRECTORY is where they stay for the next run (40 MB).
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
work=${WORK:-${XDG_CACHE_HOME:-$HOME/.cache}/runfold-proxies}
python=${PYTHON:-$repository/.venv/bin/python}

. "$repository/tests/debian.sh"
unpack nginx nginx "$work"
unpack caddy caddy "$work"
nginx -v
caddy version
export PATH PYTHONPATH=$repository
cd "$repository"
exec "$python" -m pytest -o python_files='check_*.py' -p no:cacheprovider --timeout 120 tests/proxies "$@"
