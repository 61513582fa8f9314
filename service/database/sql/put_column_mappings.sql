-- Parts of a statement that write column mappings, one array for each column (put_rows.sql).
-- parameters: dataset_ids, job_ids, positions, registers
wanted as materialized (
    select w.*, c.ctid as version
      from unnest(:dataset_ids::uuid[], :job_ids::uuid[], :positions::bigint[], :registers::bytea[])
        as w (dataset_id, job_id, position, registers)
      left join lateral (
          select t.ctid from {schema}.column_mappings t
           where t.dataset_id = w.dataset_id and t.job_id = w.job_id order by t.position desc limit 1
      ) c on true
), changed as (
    update {schema}.column_mappings m set position = w.position, registers = w.registers
      from wanted w
     where m.ctid = w.version
), added as (
    insert into {schema}.column_mappings (dataset_id, job_id, position, registers)
    select w.dataset_id, w.job_id, w.position, w.registers from wanted w where w.version is null
)
