#!/bin/bash
# standby.sh required | optional: whether commits on this primary wait for the standby. It is `required` from the start.
set -euo pipefail
case ${1:-} in
  required) names='"postgres-1", "postgres-2"' ;;
  optional) names='' ;;
  *) echo "Say required or optional." >&2; exit 2 ;;
esac
psql --no-psqlrc -q -v ON_ERROR_STOP=1 -U runfold -d runfold -v "names=$names" <<'SQL'
alter system set synchronous_standby_names = :'names';
select pg_reload_conf() \g /dev/null
SQL
