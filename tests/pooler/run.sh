#!/usr/bin/env bash
# Runs the service behind PgBouncer: make test-pooler ARGS='-k locks'
# Installs Debian's package if it is missing. The tests start a PgBouncer of their own.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-$repository/.venv/bin/python}
. "$repository/tests/debian.sh"
install pgbouncer pgbouncer
export PATH PYTHONPATH=$repository
cd "$repository"
exec "$python" -m pytest -o python_files='check_*.py' -p no:cacheprovider tests/pooler "$@"
