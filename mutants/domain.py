"""Faults in the rules: the state of a run and how it merges, decisions, verdicts, valid time."""

from mutants.mutant import Mutant

_RUN, _REGISTERS = "service/domain/run.py", "service/domain/registers.py"
_DECISIONS = "service/domain/decisions.py"
_OF_RUNS, _OF_HISTORIES = "unit/domain/test_run.py::", "unit/domain/test_histories.py::"
_OF_ENDS, _OF_VERDICTS = "unit/domain/test_ends_and_jobs.py::", "unit/domain/test_event_verdicts.py::"
_OF_DECISIONS = "unit/domain/test_decisions.py::"

DOMAIN = (
    Mutant(
        "the latest start counts, not the earliest",
        _RUN,
        "return a if a <= b else b",
        "return a if a >= b else b",
        (f"{_OF_RUNS}test_a_run_runs_from_its_earliest_start",),
    ),
    Mutant(
        "the earliest end counts, not the latest",
        _RUN,
        "return a if a >= b else b",
        "return a if a <= b else b",
        (f"{_OF_RUNS}test_the_latest_reported_end_stands",),
    ),
    Mutant(
        "of two ends of one time COMPLETED goes before FAILED",
        _RUN,
        "RunState.COMPLETED: 1, RunState.FAILED: 2",
        "RunState.COMPLETED: 2, RunState.FAILED: 1",
        (f"{_OF_RUNS}test_between_ends_of_the_same_time_the_worse_stands",),
    ),
    Mutant(
        "the latest report of another terminal state is dropped",
        _RUN,
        "return terminal, tuple(overruled)",
        "return terminal, _NO_ENDS",
        (f"{_OF_ENDS}test_the_ends_are_the_latest_reports_of_each_state_and_the_one_that_stands_follows",),
    ),
    Mutant(
        "a heartbeat is a START",
        _RUN,
        "(content.starts or event.source == API)",
        "True",
        (f"{_OF_ENDS}test_the_latest_start_is_that_of_a_command_or_of_an_event_that_is_no_heartbeat",),
    ),
    Mutant(
        "the short way knows no START",
        _RUN,
        "latest_start = _greatest(latest_start, at)",
        "pass",
        (f"{_OF_HISTORIES}test_the_short_way_of_a_run_that_was_created_and_started_leads_where_the_merge_does",),
    ),
    Mutant(
        "the jobs of a run depend on the order of its events",
        _RUN,
        "names = sorted({*_jobs_of(a), *_jobs_of(b)})[:MAX_JOBS]",
        "names = [*dict.fromkeys([*_jobs_of(a), *_jobs_of(b)])][:MAX_JOBS]",
        (f"{_OF_ENDS}test_the_jobs_are_those_of_the_events_the_first_so_many_and_the_runs_own",),
    ),
    Mutant(
        "each START begins an attempt, also without an end before it",
        "service/domain/event_verdicts.py",
        "if phase == _START and ended:",
        "if phase == _START:",
        (f"{_OF_VERDICTS}test_attempts_are_counted_from_each_start_after_an_end_by_the_times_of_the_reports",),
    ),
    Mutant(
        "an erased START is still a START",
        "service/domain/erasure.py",
        "latest_start=None if run.latest_start == stamp.at else run.latest_start,",
        "",
        (
            "integration/http/test_ends.py::test_an_erased_start_is_no_start_any_more_and_an_earlier_one_takes_its_place",
        ),
    ),
    Mutant(
        "a mention goes before a creation",
        _RUN,
        "return b if a.implied else a",
        "return a if a.implied else b",
        (f"{_OF_RUNS}test_a_creation_goes_before_any_earlier_mention",),
    ),
    Mutant(
        "an inferred end counts although the run reported again",
        _RUN,
        "if self.inferred.position == self.last_report_position",
        "if self.inferred.position <= self.last_report_position",
        (f"{_OF_RUNS}test_an_inferred_end_is_gone_as_soon_as_anything_is_recorded_after_it",),
    ),
    Mutant(
        "the short way takes an inferred end for a reported one",
        _RUN,
        "state == _NEW or by.source == MONITOR:",
        "state == _NEW:",
        (f"{_OF_HISTORIES}test_the_short_way_of_a_run_that_was_created_and_started_leads_where_the_merge_does",),
    ),
    Mutant(
        "the short way forgets the earlier start",
        _RUN,
        "started_at = _least(started_at, at)",
        "started_at = at",
        (f"{_OF_HISTORIES}test_the_short_way_of_a_run_that_was_created_and_started_leads_where_the_merge_does",),
    ),
    Mutant(
        "a duration can be negative",
        _RUN,
        "return max(0, milliseconds(ended.at) - milliseconds(self.started_at))",
        "return milliseconds(ended.at) - milliseconds(self.started_at)",
        (f"{_OF_RUNS}test_a_duration_is_cut_to_the_millisecond_on_both_sides_and_never_below_0",),
    ),
    Mutant(
        "the phase of an event counts for nothing",
        _REGISTERS,
        "return a if (a.at, a.phase, a.digest) >= (b.at, b.phase, b.digest) else b",
        "return a if (a.at, a.digest) >= (b.at, b.digest) else b",
        (f"{_OF_RUNS}test_of_events_of_one_time_that_of_the_later_phase_sets_facets_parent_and_nominal_times",),
    ),
    Mutant(
        "the first value of a facet stands",
        _REGISTERS,
        "newer = (facet[0], facet[3], facet[1]) > (current[0], current[3], current[1])",
        "newer = (facet[0], facet[3], facet[1]) < (current[0], current[3], current[1])",
        (f"{_OF_RUNS}test_the_latest_value_of_each_facet_stands",),
    ),
    Mutant(
        "a merge drops facets that only one side has",
        _REGISTERS,
        "            merged[name] = facet\n            continue",
        "            continue",
        (f"{_OF_HISTORIES}test_merge_is_commutative",),
    ),
    Mutant(
        "facets may add up to any number of bytes",
        _REGISTERS,
        "return merged if total <= FACET_LIMITS.size and",
        "return merged if",
        ("unit/domain/test_facet_limits.py::test_what_fits_alone_and_not_together_is_left_out",),
    ),
    Mutant(
        "a deleted name is visible",
        "service/domain/job.py",
        "return self.deleted > self.seen",
        "return self.deleted < self.seen",
        ("unit/domain/test_job_and_namespace.py::test_a_job_is_hidden_from_its_deletion_until_it_is_heard_of_again",),
    ),
    Mutant(
        "what happens at the time of validAt is not valid then",
        "service/domain/bitemporal.py",
        "if event.transitioned_at <= self._at:",
        "if event.transitioned_at < self._at:",
        ("unit/domain/test_bitemporal.py::test_before_its_first_transition_a_run_is_new_and_has_its_args",),
    ),
    Mutant(
        "an event of the same time is late",
        "service/domain/event_verdicts.py",
        "event.transitioned_at < self._latest",
        "event.transitioned_at <= self._latest",
        ("unit/domain/test_event_verdicts.py::test_an_event_of_the_same_time_is_not_late",),
    ),
    Mutant(
        "an owner of a register stands although it was replaced",
        "service/domain/event_verdicts.py",
        "owner.superseded_by = judged.position",
        "owner.superseded_by = None",
        ("unit/domain/test_event_verdicts.py::test_a_later_end_supersedes_the_one_before",),
    ),
    Mutant(
        "rule 2: a start at the time of the end is refused",
        _DECISIONS,
        "t.at > run.terminal.at",
        "t.at >= run.terminal.at",
        (f"{_OF_DECISIONS}test_the_first_line_that_matches_decides",),
    ),
    Mutant(
        "rule 3: the same start again is recorded",
        _DECISIONS,
        "t.at >= run.started_at",
        "t.at > run.started_at",
        (f"{_OF_DECISIONS}test_the_first_line_that_matches_decides",),
    ),
    Mutant(
        "rule 5: another end changes nothing, the same one is a conflict",
        _DECISIONS,
        "run.terminal.state == t.state",
        "run.terminal.state != t.state",
        (f"{_OF_DECISIONS}test_the_first_line_that_matches_decides",),
    ),
    Mutant(
        "rule 0: an Idempotency-Key with other content is taken",
        _DECISIONS,
        "return Decision.UNCHANGED if known.request_digest == request_digest else Decision.KEY_REUSED",
        "return Decision.UNCHANGED",
        (f"{_OF_DECISIONS}test_line_0_a_key_that_comes_with_other_content_is_refused",),
    ),
    Mutant(
        "rule 8: a run that OpenLineage reported first gets no creator",
        _DECISIONS,
        "if current.implied:",
        "if not current.implied:",
        (f"{_OF_DECISIONS}test_line_8_a_run_first_heard_of_by_openlineage_gets_its_creator",),
    ),
)
