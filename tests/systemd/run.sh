#!/usr/bin/env bash
# Checks deploy/systemd/runfold.service with the systemd-analyze of this machine, or of Debian's package, which it installs as
# root where there is none: systemd accepts every line, and rates what the service may do with 2.0 of 10 or less.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
. "$repository/tests/debian.sh"
install systemd-analyze systemd
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Where the service would be installed, its program is not.
sed "s|/opt/runfold/bin/runfold|$(command -v true)|" "$repository/deploy/systemd/runfold.service" >"$work/runfold.service"
passed=0 failed=0
check() {
  local name=$1
  shift
  if "$@" >"$work/said" 2>&1; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $name"; cat "$work/said"; fi
}
accepts() { systemd-analyze verify "$1" 2>&1 | { ! grep .; }; }
rated() { systemd-analyze security --offline=true --no-pager --threshold="$1" "$2"; }
check 'systemd accepts the unit' accepts "$work/runfold.service"
check 'its exposure is 2.0 or less' rated 20 "$work/runfold.service"
# The checks can fail.
{ cat "$work/runfold.service"; printf '[Service]\nProtectSytem=strict\n'; } >"$work/misspelt.service"
check 'a misspelt line is found' eval "! accepts '$work/misspelt.service'"
sed '/^ProtectSystem=\|^CapabilityBoundingSet=\|^SystemCallFilter=/d' "$work/runfold.service" >"$work/loose.service"
check 'an exposed unit is found' eval "! rated 20 '$work/loose.service'"
systemd-analyze security --offline=true --no-pager "$work/runfold.service" | tail -n 1
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
