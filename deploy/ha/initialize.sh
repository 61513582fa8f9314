# Sourced by the entrypoint of the PostgreSQL image when the first primary has made its database: the role that the
# standby connects as, and commits that wait for the standby, from the next start on.
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv password REPLICATION_PASSWORD
create role replicator login replication password :'password';
alter system set synchronous_standby_names = '"postgres-1", "postgres-2"';
SQL
echo 'host replication replicator all scram-sha-256' >>"$PGDATA/pg_hba.conf"
