"""Faults in what API keys may see and record that are bound to namespaces."""

from mutants.mutant import Mutant

_BINDING, _PERMISSIONS = "service/domain/binding.py", "service/http/permissions.py"
_DEFINITIONS, _BULK = "service/http/definitions.py", "service/ledger/bulk_appender.py"
_QUERIES, _HISTORY = "service/catalog/queries.py", "service/http/handlers/run_history.py"
_WALK, _OF_WRITES = "integration/http/test_bound_keys.py::", "integration/http/test_bound_writes.py::"
_READS = f"{_WALK}test_no_answer_to_a_read_tells_anything_of_others"
_WRITES = f"{_WALK}test_no_write_to_others_records_anything_or_tells_what_exists"
_FOUND = "integration/ledger/test_bound_namespaces.py::test_every_namespace_within_is_found"
_FULL = "integration/http/test_bound_view.py::test_what_lies_between_its_runs_shortens_no_page"
_RACE = f"{_OF_WRITES}test_a_run_that_both_teams_find_new_has_one"

BINDINGS = (
    Mutant(
        "the binding of a key is forgotten",
        "service/http/authentication.py",
        "Context(route, key.name, key.binding, key.scope)",
        "Context(route, key.name, None, key.scope)",
        (_READS, _WRITES),
    ),
    Mutant(
        "a bound key reads what is about all namespaces",
        "service/http/authentication.py",
        "if key.binding is not None and route.reach is Reach.ALL:",
        "if key.binding is not None and route.reach is None:",
        (_READS,),
    ),
    Mutant(
        "an older program takes a bound key for one of all namespaces",
        "service/auth/keys.py",
        'return sha256(b"bound to namespaces:" + digest).digest()',
        "return digest",
        ("integration/http/test_bound_admission.py::test_a_program_that_knows_no_bound_keys_does_not_admit_one",),
    ),
    Mutant(
        "a run is seen although one of its jobs is elsewhere",
        _BINDING,
        "and all(self.allows(job.namespace) for job in run.jobs)",
        "and True",
        (_READS,),
    ),
    Mutant(
        "a run is seen although not all of its jobs are known",
        _BINDING,
        "and len(run.jobs) < MAX_JOBS",
        "and len(run.jobs) <= MAX_JOBS",
        ("unit/domain/test_binding.py::test_a_run_is_seen_if_all_its_jobs_are_within_and_reported_if_one_is",),
    ),
    Mutant(
        "any run is shown",
        _PERMISSIONS,
        "or binding.may_see(run) else None",
        "or binding else None",
        (_READS,),
    ),
    Mutant(
        "names outside of the binding are written to",
        _PERMISSIONS,
        "if caller.binding is not None and not caller.binding.allows(namespace):",
        "if False:",
        (_WRITES,),
    ),
    Mutant(
        "runs of others are started and ended",
        _PERMISSIONS,
        "return command if caller.binding is None else Within(command, caller.binding)",
        "return command",
        (_WRITES,),
    ),
    Mutant(
        "an event of another namespace is recorded",
        "service/payloads/openlineage.py",
        "if origin.binding is not None and not origin.binding.allows(namespace):",
        "if False:",
        (_WRITES,),
    ),
    Mutant(
        "an event of a run of others is recorded",
        "service/http/handlers/lineage.py",
        "if binding is None or draft.subject is not Subject.RUN:",
        "if True:",
        (_WRITES,),
    ),
    Mutant(
        "a batch records events of runs of others",
        _BULK,
        "            if binding is not None:\n",
        "            if False:\n",
        (_WRITES,),
    ),
    Mutant(
        "two teams report the first event of a run at once",
        _BULK,
        "0 if ownership is Ownership.NEW else None",
        "None",
        (_RACE,),
    ),
    Mutant(
        "the history of any run is shown",
        _HISTORY,
        "if not last or not await _may_see(request, run):",
        "if not last:",
        (_READS,),
    ),
    Mutant(
        "the past of any run is shown",
        _HISTORY,
        "if past is None or not await _may_see(request, run):",
        "if past is None:",
        (_READS,),
    ),
    Mutant(
        "questions about the past tell when others recorded something",
        _HISTORY,
        "known = past.known if binding is None else await _last_of_run(request, run, past.known)",
        "known = past.known",
        (f"{_WALK}test_what_others_record_changes_no_answer",),
    ),
    Mutant(
        "exports tell how much others recorded until a time",
        "service/http/handlers/events.py",
        "if binding_of(request) is None:",
        "if True:",
        (f"{_WALK}test_what_others_record_changes_no_answer",),
    ),
    Mutant(
        "lists across jobs have runs of several teams",
        "service/catalog/run_search.py",
        '{False: _FILTERS, True: f"{_FILTERS} and {_VISIBLE}"}',
        "{False: _FILTERS, True: f\"{_FILTERS} and {_VISIBLE.replace('not exists', 'true or exists')}\"}",
        (_FULL,),
    ),
    Mutant(
        "lists of a job have runs of several teams",
        _QUERIES,
        "_BOUND = {False: EVERY, True: VISIBLE_RUN}",
        "_BOUND = {False: EVERY, True: VISIBLE_RUN.replace('not exists', 'true or exists')}",
        (_FULL,),
    ),
    Mutant(
        "totals count runs of several teams",
        "service/database/sql/count_visible_runs_of_job.sql",
        "and not ({visible_run})",
        "and not ({visible_run}) and false",
        (f"{_OF_WRITES}test_who_reports_a_run_goes_on_to_whatever_others_report_and_is_not_shown_it",),
    ),
    Mutant(
        "children of others are listed",
        "service/catalog/lineage_events.py",
        "f\"{load_text('within', namespace='t.namespace')} and {VISIBLE_RUN}\"",
        "f\"(true or {load_text('within', namespace='t.namespace')}) and {VISIBLE_RUN}\"",
        (_FULL,),
    ),
    Mutant(
        "events of others are listed as they were sent",
        "service/http/handlers/lineage.py",
        "filters = await events.restrict(filters, binding)",
        "pass",
        (_READS,),
    ),
    Mutant(
        "the stream has events of others",
        "service/audit/filters.py",
        "and (self.within is None or self.within.allows(event.namespace))",
        "and True",
        (f"{_WALK}test_a_stream_goes_on_with_what_is_the_keys_own",),
    ),
    Mutant(
        "posted events of others are found",
        "service/audit/postings.py",
        "(filters.namespace,) if filters.within is None else filters.within.names",
        "(filters.namespace,)",
        ("integration/database/test_bound_plans.py::test_a_list_reads_what_is_the_keys_own_and_little_else",),
    ),
    Mutant(
        "a namespace that is not projected yet is not found",
        "service/database/sql/matching_namespaces.sql",
        "e.position > c.position",
        "e.position < 0",
        (_FOUND,),
    ),
    Mutant(
        "runs that cross namespaces are not marked",
        "service/catalog/projection.py",
        "return tuple(ids) if len(ids) > 1 else ()",
        "return ()",
        (_FULL,),
    ),
)
