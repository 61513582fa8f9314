-- Returns those of the ledger's tables that are not plain tables, whose rows every reader sees alike: a view, a rule, a policy
-- for rows or a foreign table can show verification other rows than the service.
select c.oid::regclass::text as name
  from pg_catalog.pg_class c
 where (c.oid in ('runfold.events'::regclass, 'runfold.payloads'::regclass, 'runfold.ledger_head'::regclass)
        or c.oid in (select t.relid from pg_catalog.pg_partition_tree('runfold.payloads') t))
   and (c.relkind not in ('r', 'p') or c.relrowsecurity
        or exists (select from pg_catalog.pg_rewrite r where r.ev_class = c.oid))
 order by 1
