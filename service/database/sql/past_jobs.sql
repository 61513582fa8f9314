-- Returns the jobs whose runs have read or written datasets up to a time, in the given directions, and the number of edges that this
-- was found by: as many as :max_edges, where there may be more.
-- parameters: dataset_ids, directions, at, max_edges
with edges as materialized (
    select t.job_id
      from unnest(:dataset_ids::uuid[]) as w (id)
     cross join lateral {names} a
     cross join lateral (select e.job_id
                           from runfold.lineage_edges e
                          where e.dataset_id = a.id and e.direction = any (:directions::smallint[]) and e.first_at <= :at
                         offset 0) t
     limit :max_edges
)
select (select count(*) from edges) as edges,
       array(select j.id from (select distinct t.job_id from edges t) e cross join lateral {job} j order by j.id) as jobs
