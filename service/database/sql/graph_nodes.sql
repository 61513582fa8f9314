-- Returns the nodes that are connected with a node by at most :steps edges, the nearest first, at most :max_nodes: the search ends
-- there, because rows are returned while it goes on. from_job, from_dataset: the directions in which edges are followed (0: the job
-- reads the dataset).
--
-- `union` leaves out nodes that were found before. A column with the distance would make another row of each; but 1.0 and 1.00
-- are equal numbers, so the distance is the number of decimal places (at most 16,383).
-- parameters: id, is_job, steps, from_job, from_dataset, all_edges, max_nodes
with recursive g (id, is_job, distance) as (
    select :id::uuid, :is_job::bool, 1::numeric
     union
    select n.id, not g.is_job, g.distance * 1.0
      from g
     cross join lateral (
         select d.id
           from runfold.lineage_edges e
          cross join lateral {dataset} d
          where g.is_job and e.job_id = g.id and e.direction = any (:from_job::smallint[]) and (e.current or :all_edges)
         union all
         select j.id
           from {names} a
          cross join lateral (select t.job_id
                                from runfold.lineage_edges t
                               where t.dataset_id = a.id and t.direction = any (:from_dataset::smallint[])
                                 and (t.current or :all_edges)
                              offset 0) e
          cross join lateral {job} j
          where not g.is_job
     ) n
     where scale(g.distance) < :steps
)
select g.id, g.is_job, scale(g.distance) as distance from g limit :max_nodes
