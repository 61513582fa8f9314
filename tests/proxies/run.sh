#!/usr/bin/env bash
# Tests the configurations of deploy/proxies with real proxies in front of a real service: make test-proxies
#
# Uses nginx and Caddy of this machine, or those of Debian's packages, which are unpacked and not installed, so no service is
# started. WORK=DIRECTORY is where they stay for the next run (40 MB).
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
work=${WORK:-${XDG_CACHE_HOME:-$HOME/.cache}/runfold-proxies}
python=${PYTHON:-$repository/.venv/bin/python}

unpack() {
  command -v apt-get >/dev/null || { echo "There is no $1 here: install it; or run this on Debian." >&2; exit 1; }
  mkdir -p "$work"
  [ "$(id -u)" != 0 ] || apt-get -o DPkg::Lock::Timeout=600 -qq update
  (cd "$work" && rm -f "$1"_*.deb && apt-get -qq download "$1" && dpkg -x "$1"_*.deb programs)
}

PATH=$PATH:/usr/sbin:$work/programs/usr/sbin:$work/programs/usr/bin
for program in nginx caddy; do
  command -v "$program" >/dev/null || unpack "$program"
done
nginx -v
caddy version
export PATH PYTHONPATH=$repository
cd "$repository"
exec "$python" -m pytest -o python_files='check_*.py' -p no:cacheprovider --timeout 120 tests/proxies "$@"
