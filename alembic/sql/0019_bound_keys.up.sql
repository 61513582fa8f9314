-- What lists for API keys need that are bound to namespaces (docs/decisions/0039-bound-keys.md). Derived, like all of the catalog.

-- Runs whose events name jobs of several namespaces, under each of these jobs; also runs with 256 jobs, of which not all are
-- known. namespaces: the ids of all of them; the id of zeros stands for those that are not known.
create table runfold.crossing_runs (
    run_id     uuid   not null,
    job_id     uuid   not null,
    namespaces uuid[] not null,
    primary key (run_id, job_id)
);
create index crossing_runs_of_job on runfold.crossing_runs (job_id);
with named as (
    select m.run_id, m.job_id, true as is_other from runfold.run_jobs m
     union all
    select r.id, r.job_id, false from runfold.runs r where r.id in (select m.run_id from runfold.run_jobs m)
), found as (
    select n.run_id, array_agg(n.job_id) as jobs,
           case when count(*) filter (where n.is_other) >= 255 then '{00000000-0000-0000-0000-000000000000}'
                else array_agg(distinct coalesce(j.namespace_id, '00000000-0000-0000-0000-000000000000')) end as namespaces
      from named n
      left join runfold.jobs j on j.id = n.job_id
     group by n.run_id
)
insert into runfold.crossing_runs (run_id, job_id, namespaces)
select f.run_id, j.job_id, f.namespaces
  from found f
 cross join unnest(f.jobs) as j (job_id)
 where cardinality(f.namespaces) > 1 or f.namespaces = '{00000000-0000-0000-0000-000000000000}';

-- The namespaces of datasets that events name; those of jobs are in runfold.namespaces. digest: the name's SHA-256.
create table runfold.dataset_namespaces (
    digest bytea primary key,
    name   text  not null
);
insert into runfold.dataset_namespaces (digest, name)
select distinct runfold.namespace_digest(e.namespace), e.namespace
  from runfold.events e
 where e.log = 0 and e.subject = 'dataset'
   and e.position <= (select c.position from runfold.catalog_cursor c where c.log = 0 order by c.position desc limit 1);

-- Programs of the version before would project on without these tables. They stop as they do when a newer one has projected.
-- A catalog that programs of several formats projected lacks what it lacked before.
update runfold.catalog_cursor
   set format = 3,
       oldest_format = case when position = 0 or (oldest_format = format and format > 0) then 3 else oldest_format end;
