-- Only `runfold erase` erases, so its records have the source `cli`.
-- Replaces one word of the function, whatever the rest of it is by now: earlier migrations may have replaced it.
do $change$
declare
    before text := pg_get_functiondef('runfold.erase_payloads(int, bigint[], text, text)'::regprocedure);
    after  text := replace(before, $$null, 'api', p_actor$$, $$null, 'cli', p_actor$$);
begin
    if after = before then
        raise exception 'runfold.erase_payloads does not record erasures as expected';
    end if;
    execute after;
end
$change$;
