"""Faults in appending: group commit, the function append_events, the ledger's end, bulk ingestion."""

from mutants.mutant import Mutant

_BATCH, _END = "service/ledger/batch.py", "service/ledger/ledger_end.py"
_APPEND = "alembic/sql/0006_newest_first.up.sql"
_OF_EVENTS, _OF_APPENDER = "integration/ledger/test_events.py::", "integration/ledger/test_appender.py::"
_OF_END, _OF_LOSSES = "integration/ledger/test_ledger_end.py::", "integration/http/test_lost_tail.py::"

LEDGER = (
    Mutant(
        "recorded_at follows a clock that goes back",
        _APPEND,
        "recorded_at := greatest(head.recorded_at, clock_timestamp());",
        "recorded_at := clock_timestamp();",
        (f"{_OF_EVENTS}test_recorded_at_never_goes_back_even_if_the_clock_does",),
    ),
    Mutant(
        "positions have gaps",
        _APPEND,
        "head.position := head.position + 1;",
        "head.position := head.position + 2;",
        (f"{_OF_EVENTS}test_positions_are_gapless_and_times_in_their_order_however_many_write",),
    ),
    Mutant(
        "a command is appended wherever its stream ends",
        _APPEND,
        "elsif not item.holds then",
        "elsif false then",
        (f"{_OF_EVENTS}test_a_command_that_expects_another_end_has_lost",),
    ),
    Mutant(
        "a fact that the ledger has is appended again",
        _APPEND,
        "if item.known is not null then",
        "if false then",
        (f"{_OF_EVENTS}test_a_known_fact_is_not_recorded_again",),
    ),
    Mutant(
        "a fact that comes twice in a batch is appended twice",
        _APPEND,
        "elsif item.first < item.n then",
        "elsif false then",
        (f"{_OF_EVENTS}test_a_fact_that_comes_twice_in_a_batch_is_recorded_once",),
    ),
    Mutant(
        "a row is hashed without the hash before it",
        _APPEND,
        r"sha256('\x01'::bytea || head.hash || record_send(",
        r"sha256('\x01'::bytea || record_send(",
        ("integration/audit/test_verification.py::test_a_ledger_as_the_service_wrote_it_holds",),
    ),
    Mutant(
        "the lock on the ledger head is not taken",
        _APPEND,
        "where h.log = p_log order by h.position desc limit 1 for update;",
        "where h.log = p_log order by h.position desc limit 1;",
        (f"{_OF_EVENTS}test_positions_are_gapless_and_times_in_their_order_however_many_write",),
    ),
    Mutant(
        "an event far ahead of the clock is recorded",
        "alembic/sql/0008_clock.up.sql",
        "if recorded_at > p_latest and",
        "if false and",
        (f"{_OF_END}test_an_append_that_would_lie_too_far_ahead_records_nothing",),
    ),
    Mutant(
        "a command is acknowledged although its append failed",
        _BATCH,
        "# the next attempt may find the item's own event in the ledger\n            raise",
        "\n            return None",
        (f"{_OF_APPENDER}test_a_database_that_stays_away_is_told_and_comes_back_by_itself",),
    ),
    Mutant(
        "no position is expected of a stream",
        _BATCH,
        "[self._expected_position(item) if item.command is not None else None for item in self._appending]",
        "[None for item in self._appending]",
        (f"{_OF_APPENDER}test_of_two_processes_that_end_a_run_one_wins_and_the_other_sees_it",),
    ),
    Mutant(
        "a command that lost a race is acknowledged",
        _BATCH,
        "if key in lost_streams:",
        "if key is None:",
        (f"{_OF_APPENDER}test_of_two_processes_that_end_a_run_one_wins_and_the_other_sees_it",),
    ),
    Mutant(
        "a creation whose answer was lost is answered as a repetition",
        _BATCH,
        "item.outcome_unknown = True",
        "item.outcome_unknown = False",
        (f"{_OF_APPENDER}test_a_creation_whose_answer_is_lost_is_still_a_creation",),
    ),
    Mutant(
        "a state that does not hold all events is cached",
        _BATCH,
        "if item.key in complete:",
        "if item.key in self._states:",
        (f"{_OF_APPENDER}test_a_run_that_nothing_was_appended_to_by_a_command_is_read_the_next_time",),
    ),
    Mutant(
        "commands of a batch do not see each other",
        _BATCH,
        "states[key] = _next_state(states[key], item.draft, 0, None)",
        "pass",
        (f"{_OF_APPENDER}test_two_commands_of_one_batch_see_each_other_and_each_its_own_moment",),
    ),
    Mutant(
        "a deleted job takes runs",
        _BATCH,
        "return state is None or (parent[0] is Subject.JOB and state.hidden)",
        "return state is None",
        ("integration/catalog/test_catalog.py::test_a_deleted_job_takes_no_runs_until_it_is_defined_again",),
    ),
    Mutant(
        "one value that PostgreSQL refuses fails its whole batch",
        "service/ledger/appender.py",
        "if len(batch) == 1:\n",
        "if batch:\n                for item in batch:\n                    item.fail(Invalid(error.reason))\n",
        (f"{_OF_APPENDER}test_one_bad_item_harms_no_neighbour",),
    ),
    Mutant(
        "states of lost events stay in the cache",
        "service/ledger/appender.py",
        "self._run_cache.clear()",
        "pass",
        (f"{_OF_LOSSES}test_states_of_lost_events_are_forgotten",),
    ),
    Mutant(
        "a ledger that lost its tail is not noticed by reading its end",
        _END,
        "if position < known:",
        "if position < 0:",
        (f"{_OF_LOSSES}test_a_process_that_appends_nothing_notices_the_loss_in_the_log_and_in_a_metric",),
    ),
    Mutant(
        "a ledger that lost its tail is not noticed by appending at the last position again",
        _END,
        "if first <= known:",
        "if first < known:",
        (f"{_OF_END}test_an_append_at_the_last_position_that_was_known_is_a_loss",),
    ),
    Mutant(
        "what other processes append is not noticed",
        "service/ledger/ledger_watch.py",
        "self._on_change(self._reported)",
        "pass",
        (f"{_OF_END}test_what_another_process_appends_is_projected_without_a_request",),
    ),
    Mutant(
        "a known event counts as recorded",
        "service/ledger/bulk_appender.py",
        "appended.recorded_at if recorded else None",
        "appended.recorded_at",
        (
            "integration/ingest/test_file_import.py::test_a_file_of_any_form_is_read_and_reading_it_again_records_nothing",
        ),
    ),
    Mutant(
        "a request waits for the database without end",
        "service/ledger/expiry.py",
        "if age >= _TICKS:",
        "if age < 0:",
        (
            "integration/http/test_stalls.py::test_while_the_database_hangs_requests_are_answered_in_time_and_then_at_once",
        ),
    ),
    Mutant(
        "an event of a batch that may be sent again is called final",
        "service/ingest/ingestion.py",
        "isinstance(error, Unavailable))",
        "retriable=False)",
        ("integration/ledger/test_ledger_end.py::test_a_batch_that_the_clock_refuses_may_be_sent_again",),
    ),
    Mutant(
        "the memory of a payload is measured again after it was recorded",
        "service/ledger/appender.py",
        "self.held_bytes -= sum(map(_held_by, batch))",
        "self.held_bytes -= sum(map(_memory_of, batch))",
        ("integration/http/test_queue_bytes.py::test_payloads_of_any_characters_leave_nothing_in_the_queue_nor_less",),
    ),
)
