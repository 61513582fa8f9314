-- Returns how long the oldest transaction has been open that keeps removed row versions of this database from being reclaimed:
-- one with a snapshot or a transaction id, or a prepared one; 0 if there is none. Without the rights of pg_read_all_stats,
-- pg_stat_activity hides both from sessions of other roles.
select coalesce(max(extract(epoch from clock_timestamp() - t.since)), 0)::float8 as seconds
  from (
      select a.xact_start as since
        from pg_stat_activity a
       where a.datname = current_database() and a.backend_type = 'client backend' and a.pid <> pg_backend_pid()
         and (a.backend_xmin is not null or a.backend_xid is not null)
       union all
      select p.prepared from pg_prepared_xacts p where p.database = current_database()
  ) t
