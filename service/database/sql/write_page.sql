-- Writes the jobs, namespaces and counters that a page of events changed, and moves the cursor: one round trip for all.
with {put_jobs}, {put_namespaces}, counters_moved as (
{move_run_counts}
), counters_added as (
{add_run_counts}
), cursor_moved as (
{catalog_move}
)
select 1
