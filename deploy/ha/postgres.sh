#!/bin/bash
# Starts one of the two PostgreSQL servers of compose-ha.yml: as the primary if its name, NODE, is PRIMARY, else as the
# standby of the other one, PEER. So a new value of PRIMARY promotes the one and makes the other its standby.
set -euo pipefail
: "${NODE:?}" "${PEER:?}" "${PRIMARY:?}" "${REPLICATION_PASSWORD:?}" "${PGDATA:?}"
log() { echo "$NODE: $*" >&2; }
fail() { log "$*"; exit 1; }

case $PRIMARY in "$NODE" | "$PEER") ;; *) fail "PRIMARY must be $NODE or $PEER, and is $PRIMARY." ;; esac
install -m 600 /dev/null /tmp/pgpass
printf '*:*:*:replicator:%s\n' "$(sed 's/[\\:]/\\&/g' <<<"$REPLICATION_PASSWORD")" >/tmp/pgpass
source="host=$PEER user=replicator passfile=/tmp/pgpass connect_timeout=5 application_name=$NODE"

settings=(
  # What a standby may lack after it was away; after more, it must be copied anew.
  -c wal_keep_size=1GB
  -c "primary_conninfo=$source"
  # recovery.signal needs a command for archives; there are none.
  -c restore_command=false
)

# The identifier that initdb gives, and copies keep.
system_of_peer() { psql --no-psqlrc -At "$source dbname=postgres replication=true" -c IDENTIFY_SYSTEM | cut -d '|' -f 1; }
system_of_data() { pg_controldata "$PGDATA" | sed -n 's/^Database system identifier: *//p'; }
answers() { psql --no-psqlrc -q "$source dbname=postgres" -c '' >/dev/null 2>&1; }
is_primary() { [ "$(psql --no-psqlrc -At "$source dbname=postgres" -c 'select pg_is_in_recovery()' 2>/dev/null)" = f ]; }

wait_for_primary() {
  is_primary && return
  log "waits until $PEER answers as the primary"
  until is_primary; do sleep 0.5; done
}

copy() {
  wait_for_primary
  rm -rf "$PGDATA.copy"
  log "copies the data of $PEER"
  pg_basebackup --dbname "$source" --pgdata "$PGDATA.copy" --wal-method stream --checkpoint fast
  touch "$PGDATA.copy/standby.signal"
  sync -f "$PGDATA.copy"
  mv -T "$PGDATA.copy" "$PGDATA"
}

if [ "$NODE" = "$PRIMARY" ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  ! answers || fail "There are no data here, but $PEER has some: is PRIMARY right?"
elif [ "$NODE" = "$PRIMARY" ]; then
  # Ends recovery on a new timeline, after everything that was received is replayed.
  if [ -e "$PGDATA/standby.signal" ]; then
    log "is promoted"
    mv "$PGDATA/standby.signal" "$PGDATA/recovery.signal"
  fi
elif [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$(dirname "$PGDATA")"
  copy
elif [ ! -e "$PGDATA/standby.signal" ]; then
  # It was the primary. What it recorded and did not send to the standby was never acknowledged, and is kept aside.
  wait_for_primary
  [ "$(system_of_peer)" = "$(system_of_data)" ] || fail "$PGDATA is no copy of the data of $PEER: is PRIMARY right?"
  rm -rf "$PGDATA.before"
  mv "$PGDATA" "$PGDATA.before"
  log "was the primary: its data until now are in $PGDATA.before"
  copy
fi
exec docker-entrypoint.sh postgres "${settings[@]}"
