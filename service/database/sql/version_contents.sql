-- Returns the contents of versions of datasets, told under any of their names.
-- parameters: ids, versions
select w.id, c.version, c.content as registers
  from unnest(:ids::uuid[], :versions::uuid[]) with ordinality as w (id, version, n)
 cross join lateral (select d.version, d.content
                       from {names} a
                      cross join lateral (select v.version, v.content from runfold.dataset_versions v
                                           where v.dataset_id = a.id and v.version = w.version offset 0) d
                      limit 1) c
 order by w.n
