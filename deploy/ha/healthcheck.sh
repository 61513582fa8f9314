#!/bin/bash
# Health of one of the two PostgreSQL servers. The primary is healthy if it can commit: if a standby that it waits for
# receives its log. The standby is healthy if it receives the log of the primary.
set -euo pipefail
[ "$(psql --no-psqlrc -At -U runfold -d runfold <<'SQL'
select case
    when pg_is_in_recovery() then exists (select from pg_stat_wal_receiver where status = 'streaming')
    else current_setting('synchronous_standby_names') = ''
        or exists (select from pg_stat_replication where sync_state in ('sync', 'quorum'))
end
SQL
)" = t ]
