-- Returns runs of a namespace, or of jobs of a name, by their start, or their creation where they have not started; bounds as
-- in runs_by_time.sql.
-- parameters: states, first_time, first_id, far_time, limit
with found as (
    select r.*
      from unnest(:states::text[]) as w (state)
     cross join lateral (
         select t.id, {key} as at, t.registers
           from runfold.runs t
          where :job::text is not null and hashtext(t.job) = hashtext(:job) and t.state = w.state
            and ({key}, t.id) {beyond} (:first_time::timestamptz, :first_id::uuid)
            and {key} {within}
            and {filters}
          order by {key} {direction}, t.id {direction}
          limit :limit
     ) r
    union all
    select r.*
      from unnest(:states::text[]) as w (state)
     cross join lateral (
         select t.id, {key} as at, t.registers
           from runfold.runs t
          where :job::text is null and hashtext(t.namespace) = hashtext(:namespace) and t.state = w.state
            and ({key}, t.id) {beyond} (:first_time::timestamptz, :first_id::uuid)
            and {key} {within}
            and {filters}
          order by {key} {direction}, t.id {direction}
          limit :limit
     ) r
)
select f.id, f.at, f.registers from found f order by f.at {direction}, f.id {direction} limit :limit
