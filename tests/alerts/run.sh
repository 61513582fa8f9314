#!/usr/bin/env bash
# Tests the alerts: promtool's unit tests of each rule, then a real Prometheus beside a real service on which the conditions
# are provoked: make test-alerts
# And the dashboard: Go compares it with the types that Grafana generates from its schemas.
#
# Uses the Prometheus of this machine, or one from Debian's package, which is unpacked and not installed, so no service is
# started. WORK=DIRECTORY is where it stays for the next run (100 MB).
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
work=${WORK:-${XDG_CACHE_HOME:-$HOME/.cache}/runfold-alerts}
python=${PYTHON:-$repository/.venv/bin/python}

. "$repository/tests/debian.sh"
unpack promtool prometheus "$work"
unpack prometheus prometheus "$work"
promtool --version 2>&1 | head -n 1
cd "$repository"
promtool check rules deploy/prometheus/runfold.rules.yml
promtool test rules deploy/prometheus/runfold.rules.test.yml
if command -v go >/dev/null; then
  go -C tests/alerts/dashboard run . "$repository/deploy/grafana/runfold.json"
else
  echo "The dashboard is not compared with Grafana's types: there is no Go here." >&2
fi
export PATH PYTHONPATH=$repository
exec "$python" -m pytest -o python_files='check_*.py' -p no:cacheprovider --timeout 600 tests/alerts "$@"
