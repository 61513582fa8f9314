drop function runfold.drop_archived_payloads, runfold.erase_payloads;
drop table runfold.archives;
grant execute on function runfold.ensure_payload_partition, runfold.append_events to public;
alter function runfold.append_events security invoker reset search_path;
drop trigger payloads_append_only on runfold.payloads;
create trigger payloads_append_only before update or delete on runfold.payloads
    for each row execute function runfold.refuse_change();
drop function runfold.guard_payload, runfold.is_erased, runfold.erasure_fact;
drop trigger ledger_head_grows on runfold.ledger_head;
drop function runfold.guard_head;
