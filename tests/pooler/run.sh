#!/usr/bin/env bash
# Runs the service behind PgBouncer: make test-pooler ARGS='-k locks'
# Installs Debian's package if it is missing. The tests start a PgBouncer of their own.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-$repository/.venv/bin/python}
PATH=$PATH:/usr/sbin

install() {
  command -v pgbouncer >/dev/null && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "PgBouncer is missing. Install it; or run this as root on Debian." >&2; return 1; }
  local log
  log=$(mktemp)
  {
    apt-get -o DPkg::Lock::Timeout=600 -qq update
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -o DPkg::Lock::Timeout=600 -qq install -y --no-install-recommends pgbouncer
  } >"$log" 2>&1 || { cat "$log" >&2; return 1; }
  rm "$log"
}

install
export PATH PYTHONPATH=$repository
cd "$repository"
exec "$python" -m pytest -o python_files='check_*.py' -p no:cacheprovider tests/pooler "$@"
