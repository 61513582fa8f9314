-- Returns Marquez's runs that no OpenLineage event made, neither by its own id nor as a parent, with their reported states, oldest
-- first: those of the second array were reported at the times of the first one.
select r.uuid as id, r.namespace_name as namespace, r.job_name as job, r.created_at, r.nominal_start_time, r.nominal_end_time, a.args,
       array(select s.transitioned_at from {marquez}.run_states s where s.run_uuid = r.uuid and s.state <> 'NEW'
              order by s.transitioned_at, s.state) as times,
       array(select s.state::text from {marquez}.run_states s where s.run_uuid = r.uuid and s.state <> 'NEW'
              order by s.transitioned_at, s.state) as states
  from {marquez}.runs r
  left join {marquez}.run_args a on a.uuid = r.run_args_uuid
 where r.external_id is null
   and not exists (select from {marquez}.lineage_events e where e.run_uuid = r.uuid)
 order by r.created_at, r.uuid
