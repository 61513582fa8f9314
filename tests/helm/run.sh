#!/usr/bin/env bash
# Checks the Helm chart: make test-helm ARGS='-k schema'
# Kubernetes' schemas come with a package of PyPI, which is installed into ~/.cache/runfold-helm. No cluster is needed.
#   SERVER=yes    also with a real API server, which server.sh builds once, as root on Debian with Go
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
python=${PYTHON:-$repository/.venv/bin/python}
packages=${XDG_CACHE_HOME:-$HOME/.cache}/runfold-helm/python
pins=(kubernetes-validate==1.37.0 importlib-resources==6.5.2)
if [ "$(cat "$packages/pins" 2>/dev/null)" != "${pins[*]}" ]; then
  rm -rf "$packages"
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$packages" "${pins[@]}"
  echo "${pins[*]}" >"$packages/pins"
fi
"$here/helm.sh" version --short
if [ "${SERVER:-}" = yes ]; then
  export SERVER_DIRECTORY=${XDG_CACHE_HOME:-$HOME/.cache}/runfold-helm/server
  "$here/server.sh" "$SERVER_DIRECTORY"
  . "$repository/tests/debian.sh"
  unpack kubectl kubernetes-client "$SERVER_DIRECTORY/kubectl"
  export PATH
fi
cd "$repository"
PYTHONPATH=$repository:$packages exec "$python" -m pytest -o python_files='check_*.py' -p no:cacheprovider tests/helm "$@"
