#!/usr/bin/env bash
# Builds the image, runs the compose files, and checks both: make test-containers ARGS='-k image'
# With PLATFORM=linux/arm64, builds and checks the image of arm64 alone, where necessary under emulation: make test-containers-arm64
#
# Uses the Docker engine of this machine if there is one (25 or newer, with compose 2.20 or newer and buildx). Else, as root
# on Debian, it starts one of its own, from packages of Debian 13 in a directory, and ends it; on the machine it installs
# mmdebstrap alone. Base images that cannot be pulled are replaced by stand-ins from Debian's packages (standins.sh).
# Of what it makes in an engine, stand-ins and the cache of builds stay.
#
#   WORK=DIRECTORY        where its engine, its images and its packages stay for the next run (up to 6 GB)
#   ENGINE=own            use no engine of this machine
#   PARALLEL=             options that share the checks out to processes; none: one after the other
#   PYTHON_IMAGE, POSTGRES_IMAGE, HAPROXY_IMAGE    other base images
#   CA_CERTIFICATES       PEM certificates for pip in the build; those that were added to this machine, if unset
#   PIP_INDEX_URL         another package index for the build
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
work=${WORK:-${XDG_CACHE_HOME:-$HOME/.cache}/runfold-containers}
python=${PYTHON:-$repository/.venv/bin/python}
mkdir -p "$work/bin"

fail() { echo "$*" >&2; exit 1; }
. "$here/engine.sh"
. "$here/standins.sh"
. "$here/emulation.sh"

if [ "${1:-}" = become-engine ]; then become_engine "$work/engine"; fi

# Removes what checks have made in the engine, also those of a run that was killed: an image that is there would not be built.
remove_remains() {
  timeout 60 docker ps --all --quiet --filter name='^runfold-test' | xargs -r timeout 120 docker rm --force --volumes
  timeout 60 docker volume ls --quiet --filter name='^runfold-test' | xargs -r timeout 60 docker volume rm --force
  timeout 60 docker network ls --quiet --filter name='^runfold-test' | xargs -r timeout 60 docker network rm
  timeout 60 docker image ls --format '{{.Repository}}:{{.Tag}}' --filter 'reference=runfold-test*' |
    xargs -r timeout 120 docker image rm --force
} >/dev/null 2>&1

makers=()
clean_up() {
  trap '' INT TERM HUP
  for maker in "${makers[@]}"; do kill -- "-$maker" 2>/dev/null || true; done
  if [ -n "${ready:-}" ]; then remove_remains || true; fi
  if [ -n "${engine:-}" ]; then stop_engine; fi
  stop_emulation
  rm -rf "$work/tmp" "$work/images"
}
trap clean_up EXIT

# image NAME ARCHITECTURE: writes the name of a base image for the variable NAME into a file: the variable's, or a stand-in's.
image() {
  local name=$1 wanted=${!1}
  if [ "$(docker image inspect --format '{{.Architecture}}' "$wanted" 2>/dev/null)" != "$2" ] &&
    ! timeout 120 docker pull --quiet --platform "linux/$2" "$wanted" >/dev/null 2>&1; then
    echo "$wanted cannot be pulled: a stand-in from Debian's packages takes its place."
    name=${name%_IMAGE}
    wanted=$(standin "${name,,}" "$2")
  fi
  echo "$wanted" >"$work/images/$1"
}

if [ "${ENGINE:-}" = own ] || ! usable; then start_engine; fi
ready=yes
docker version --format 'Docker {{.Server.Version}}'
docker compose version
native=$(docker version --format '{{.Server.Arch}}')
if [ -z "${CA_CERTIFICATES+set}" ]; then CA_CERTIFICATES=$(cat /usr/local/share/ca-certificates/*.crt 2>/dev/null || true); fi
: "${PYTHON_IMAGE:=$(sed -n 's/^ARG PYTHON_IMAGE=//p' "$repository/deploy/Dockerfile")}"
: "${POSTGRES_IMAGE:=docker.io/library/postgres:18}"
: "${HAPROXY_IMAGE:=docker.io/library/haproxy:3.0}"
# Two processes more than most machines for tests have cores: most checks wait. The checks of a file stay in one process.
files='check_*.py' parallel='-n 4 --dist loadfile --no-loadscope-reorder'
images=(PYTHON_IMAGE POSTGRES_IMAGE HAPROXY_IMAGE)
if [ -n "${PLATFORM:-}" ]; then
  [ "$PLATFORM" = linux/arm64 ] || fail "PLATFORM is $PLATFORM. What can be checked is linux/arm64."
  files='arm64_*.py' parallel='-n 2 --dist load' images=(PYTHON_IMAGE POSTGRES_IMAGE)
  # The containers of the image are of that platform; PostgreSQL's is this machine's.
  export PLATFORM DOCKER_DEFAULT_PLATFORM=$PLATFORM NATIVE_PLATFORM=linux/$native
  if [ "$native" != arm64 ]; then export EMULATED=yes; emulate; fi
fi
rm -rf "$work/images"
mkdir "$work/images"
set -m  # each in a process group of its own, which ends with this script
for name in "${images[@]}"; do
  architecture=$native
  if [ "$name" = PYTHON_IMAGE ] && [ -n "${PLATFORM:-}" ]; then architecture=${PLATFORM#linux/}; fi
  image "$name" "$architecture" </dev/null &
  makers+=("$!")
done
set +m
for maker in "${makers[@]}"; do wait "$maker" || fail 'A base image cannot be had.'; done
makers=()
for name in "${images[@]}"; do printf -v "$name" %s "$(cat "$work/images/$name")"; done
export PATH CA_CERTIFICATES PYTHON_IMAGE POSTGRES_IMAGE HAPROXY_IMAGE PYTHONPATH=$repository
remove_remains || true
cd "$repository"
# shellcheck disable=SC2086  several options
env --default-signal=INT,QUIT "$python" -m pytest -o python_files="$files" -p no:cacheprovider --timeout 900 --basetemp "$work/tmp" \
  ${PARALLEL-$parallel} tests/containers "$@" <&0 &
tests=$!
# Whatever ends this script ends the checks as Ctrl-C does, which reaches them from a terminal by itself.
trap : INT
trap 'kill -INT $tests 2>/dev/null' TERM HUP
while :; do
  status=0
  wait "$tests" || status=$?
  kill -0 "$tests" 2>/dev/null || break
done
exit "$status"
