# Sourced by run.sh: a Docker engine of its own, from packages of Debian 13 in the directory $work, for the time of the script.

# Whether the engine of this machine is new enough.
usable() {
  local engine compose
  engine=$(docker version --format '{{.Server.Version}}' 2>/dev/null) || return 1
  compose=$(docker compose version --short 2>/dev/null) || return 1
  docker buildx version >/dev/null 2>&1 || return 1
  [ "$(printf '%s\n' 25 "$engine" | sort -V | head -n 1)" = 25 ] && [ "$(printf '%s\n' 2.20 "${compose#v}" | sort -V | head -n 1)" = 2.20 ]
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
  debian "$work/engine" docker.io,docker-cli,docker-compose,docker-buildx,iptables,ca-certificates
  forwarding=$(cat /proc/sys/net/ipv4/ip_forward)
  chroot "$work/engine" iptables-save >"$work/iptables.before" || true
  rm -f "$work/docker.pid"
  export DOCKER_HOST=unix://$work/docker.sock
  # It ends with this script, however that ends.
  setsid setpriv --pdeathsig TERM unshare --mount --propagation private bash "$here/run.sh" become-engine >"$work/dockerd.log" 2>&1 &
  engine=$!
  # The programs of the engine's Debian, in its mounts.
  printf '#!/bin/sh\nexec nsenter --target %s --mount env --chdir "$PWD" /usr/bin/docker "$@"\n' "$engine" >"$work/bin/docker"
  chmod 755 "$work/bin/docker"
  PATH=$work/bin:$PATH
  for _ in $(seq 240); do
    ! docker version >/dev/null 2>&1 || return 0
    kill -0 "$engine" 2>/dev/null || break
    sleep 0.25
  done
  tail -n 20 "$work/dockerd.log"
  fail 'The Docker engine does not start.'
}

stop_engine() {
  # What stays for the next run is bounded; its data directory is nobody else's.
  timeout 60 docker image prune --force >/dev/null 2>&1 || true
  timeout 60 docker builder prune --force --keep-storage 3GB >/dev/null 2>&1 || true
  kill "$engine" 2>/dev/null || true
  for _ in $(seq 240); do kill -0 "$engine" 2>/dev/null || break; sleep 0.25; done
  kill -KILL "$engine" 2>/dev/null || true
  # Empty tables first: what the engine has added to tables that did not exist before is not in the file.
  for table in filter nat; do printf '*%s\nCOMMIT\n' "$table"; done | cat - "$work/iptables.before" | chroot "$work/engine" iptables-restore || true
  ip link delete docker0 2>/dev/null || true
  echo "$forwarding" >/proc/sys/net/ipv4/ip_forward
}
