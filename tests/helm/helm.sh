#!/usr/bin/env bash
# Runs helm 3: the one of this machine, or one that Go builds once, in some minutes, in ~/.cache/runfold-helm.
set -euo pipefail
version=v3.22.0
bin=${XDG_CACHE_HOME:-$HOME/.cache}/runfold-helm/bin
if [[ $(helm version --short 2>/dev/null) == v3.* ]]; then exec helm "$@"; fi
if [ ! -x "$bin/helm" ]; then
  command -v go >/dev/null || { echo 'There is neither helm 3 nor Go here: install one of them.' >&2; exit 1; }
  echo "Go builds helm $version into $bin. This takes some minutes, once." >&2
  GOBIN=$bin go install "helm.sh/helm/v3/cmd/helm@$version" >&2
fi
exec "$bin/helm" "$@"
