#!/usr/bin/env bash
# Builds the image, runs the compose files, and checks both: make test-containers ARGS='-k image'
#
# Uses the Docker engine of this machine if there is one (25 or newer, with compose 2.20 or newer and buildx). Else, as root
# on Debian, it starts one of its own, from packages of Debian 13 in a directory, and ends it; on the machine it installs
# mmdebstrap alone. Base images that cannot be pulled are replaced by stand-ins from Debian's packages (standins.sh).
#
#   WORK=DIRECTORY        where its engine, its images and its packages stay for the next run (500 MB, then 2 GB)
#   ENGINE=own            use no engine of this machine
#   PYTHON_IMAGE, POSTGRES_IMAGE, HAPROXY_IMAGE    other base images
#   CA_CERTIFICATES       PEM certificates for pip in the build; those that were added to this machine, if unset
#   PIP_INDEX_URL         another package index for the build
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
work=${WORK:-${XDG_CACHE_HOME:-$HOME/.cache}/runfold-containers}
python=${PYTHON:-$repository/.venv/bin/python}
mkdir -p "$work/bin"

fail() { echo "$*" >&2; exit 1; }

# Whether the engine of this machine is new enough.
usable() {
  local engine compose
  engine=$(docker version --format '{{.Server.Version}}' 2>/dev/null) || return 1
  compose=$(docker compose version --short 2>/dev/null) || return 1
  docker buildx version >/dev/null 2>&1 || return 1
  [ "$(printf '%s\n' 25 "$engine" | sort -V | head -n 1)" = 25 ] && [ "$(printf '%s\n' 2.20 "${compose#v}" | sort -V | head -n 1)" = 2.20 ]
}

install_mmdebstrap() {
  command -v mmdebstrap >/dev/null && return
  apt-get -o DPkg::Lock::Timeout=600 -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -qq install -y --no-install-recommends \
    mmdebstrap debian-archive-keyring >"$work/apt.log" 2>&1 || { cat "$work/apt.log"; return 1; }
}

# debian DIRECTORY PACKAGES: a minimal Debian 13 there; no documentation, as in the official images.
debian() {
  [ -e "$1/complete" ] && return
  rm -rf "$1"
  mmdebstrap --quiet --variant=minbase --include="$2" --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' trixie "$1"
  rm -rf "$1"/var/cache/apt "$1"/var/lib/apt/lists/*
  touch "$1/complete"
}

# Becomes the engine, with the Debian in $1 as its root. The mounts are seen by no other process, and vanish with it.
become_engine() {
  local root=$1 directory
  mount --bind "$root" "$root"
  for directory in /proc /sys /dev /tmp "$repository" "$work"; do
    mkdir -p "$root$directory"
    mount --rbind "$directory" "$root$directory"
  done
  for directory in /etc/resolv.conf /etc/hosts; do
    touch "$root$directory"
    mount --bind "$directory" "$root$directory"
  done
  cd "$root"
  mkdir -p before
  pivot_root . before
  umount -l before
  exec dockerd --host "unix://$work/docker.sock" --data-root "$work/data" --exec-root "$work/exec" \
    --pidfile "$work/docker.pid" --storage-driver overlay2
}

start_engine() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
    fail "There is no Docker engine here (25 or newer, with compose 2.20 or newer and buildx). Install one; or run this as root on Debian."
  exec 8>"$work/lock"  # the engine inherits it
  flock --timeout 60 8 || fail "Another engine runs in $work."
  install_mmdebstrap
  debian "$work/engine" docker.io,docker-cli,docker-compose,docker-buildx,iptables,ca-certificates
  forwarding=$(cat /proc/sys/net/ipv4/ip_forward)
  chroot "$work/engine" iptables-save >"$work/iptables.before" || true
  export DOCKER_HOST=unix://$work/docker.sock
  setsid unshare --mount --propagation private bash "$here/run.sh" become-engine >"$work/dockerd.log" 2>&1 &
  engine=$!
  trap stop_engine EXIT
  # The programs of the engine's Debian, in its mounts.
  printf '#!/bin/sh\nexec nsenter --target %s --mount env --chdir "$PWD" /usr/bin/docker "$@"\n' "$engine" >"$work/bin/docker"
  chmod 755 "$work/bin/docker"
  PATH=$work/bin:$PATH
  for _ in $(seq 120); do docker version >/dev/null 2>&1 && return; sleep 0.5; done
  tail -n 20 "$work/dockerd.log"
  fail 'The Docker engine does not start.'
}

stop_engine() {
  docker ps -aq | xargs -r "$work/bin/docker" rm -fv >/dev/null 2>&1 || true
  docker network prune --force >/dev/null 2>&1 || true
  kill "$engine" 2>/dev/null || true
  for _ in $(seq 120); do kill -0 "$engine" 2>/dev/null || break; sleep 0.5; done
  # Empty tables first: what the engine has added to tables that did not exist before is not in the file.
  for table in filter nat; do printf '*%s\nCOMMIT\n' "$table"; done | cat - "$work/iptables.before" | chroot "$work/engine" iptables-restore || true
  ip link delete docker0 2>/dev/null || true
  echo "$forwarding" >/proc/sys/net/ipv4/ip_forward
}

# Sets the variable $1, an image, to a stand-in if the image cannot be pulled.
image() {
  local name=$1
  docker image inspect "${!name}" >/dev/null 2>&1 && return
  timeout 120 docker pull --quiet "${!name}" >/dev/null 2>&1 && return
  echo "${!name} cannot be pulled: a stand-in from Debian's packages takes its place."
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail 'A stand-in needs root on Debian.'
  install_mmdebstrap
  . "$here/standins.sh"
  "standin_$name"
  printf -v "$name" %s "runfold-standin/$(tr '[:upper:]' '[:lower:]' <<<"${name%_IMAGE}")"
}

if [ "${1:-}" = become-engine ]; then become_engine "$work/engine"; fi

if [ "${ENGINE:-}" = own ] || ! usable; then start_engine; fi
docker version --format 'Docker {{.Server.Version}}'
docker compose version
if [ -z "${CA_CERTIFICATES+set}" ]; then CA_CERTIFICATES=$(cat /usr/local/share/ca-certificates/*.crt 2>/dev/null || true); fi
: "${PYTHON_IMAGE:=$(sed -n 's/^ARG PYTHON_IMAGE=//p' "$repository/deploy/Dockerfile")}"
: "${POSTGRES_IMAGE:=docker.io/library/postgres:18}"
: "${HAPROXY_IMAGE:=docker.io/library/haproxy:3.0}"
image PYTHON_IMAGE
image POSTGRES_IMAGE
image HAPROXY_IMAGE
export PATH CA_CERTIFICATES PYTHON_IMAGE POSTGRES_IMAGE HAPROXY_IMAGE PYTHONPATH=$repository
cd "$repository"
"$python" -m pytest -o python_files='check_*.py' -p no:cacheprovider --timeout 900 tests/containers "$@"
