#!/usr/bin/env bash
# Installs Debian's PgBouncer if there is none: make test-pooler. The tests start their own; the package's service is stopped.
set -euo pipefail
PATH=$PATH:/usr/sbin
command -v pgbouncer >/dev/null && exit 0
[ "$(id -u)" = 0 ] || { echo "PgBouncer is not installed; as root, run: apt-get install pgbouncer" >&2; exit 1; }
log=$(mktemp)
{
  apt-get -o DPkg::Lock::Timeout=600 -qq update
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -o DPkg::Lock::Timeout=600 -qq install -y --no-install-recommends pgbouncer
} >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
rm "$log"
