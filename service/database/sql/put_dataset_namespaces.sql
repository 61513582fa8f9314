-- Adds the names of namespaces of datasets that are not there yet.
-- parameters: names
insert into {schema}.dataset_namespaces (digest, name)
select pg_catalog.sha256(pg_catalog.convert_to(w.name, 'UTF8')), w.name from unnest(:names::text[]) as w (name)
on conflict do nothing
